"""Counts of images when some of a batch do not come back."""

import json

import torch
from torch import Tensor

from tests.test_flow import tiny
from zoo.errors import NotInvertibleError
from zoo.evaluation.evaluate import evaluate


def test_one_image_has_no_standard_error() -> None:
    flow = tiny()
    image = torch.zeros(1, 1, *flow.config.size, dtype=torch.uint8)
    found = evaluate(flow, image, {"test split": image}, n_samples=1, n_drawn=2)
    assert found["bits_per_dim_standard_error"] is None
    json.dumps(found, allow_nan=False)


def test_an_image_that_does_not_come_back_leaves_the_others_counted(monkeypatch) -> None:
    flow = tiny()
    encode = flow.encode

    def refuse_black(images: Tensor, *, exact: bool = True) -> Tensor:
        black = (images == 0).flatten(1).all(1)
        if exact and black.any():
            raise NotInvertibleError("black")
        return encode(images, exact=exact)

    monkeypatch.setattr(flow, "encode", refuse_black)
    images = torch.randint(1, 255, (10, 1, *flow.config.size), dtype=torch.uint8)
    images[3] = 0
    sets = {"test split": images}
    found = evaluate(flow, images, sets, n_samples=1, n_drawn=2, batch_size=5)
    assert found["exact_share"] == 0.9
    assert (found["float64_share"], found["kept_share"]) == (0, 0)
    hostile = found["hostile"]["patterns"]
    assert (hostile["exact"], hostile["float32"]) == (hostile["images"] - hostile["refused"],) * 2
    assert hostile["refused"] >= 1  # the black one, and stripes wider than the image
    assert found["couplings"]["shift"] == 8
    assert found["milliseconds_per_image"]["encode"] > 0
