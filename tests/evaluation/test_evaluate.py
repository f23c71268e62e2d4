"""What is counted when some images of a batch do not come back."""

import torch
from torch import Tensor

from tests.test_flow import tiny
from zoo.errors import NotInvertibleError
from zoo.evaluation.evaluate import evaluate


def test_an_image_that_does_not_come_back_leaves_the_others_counted(monkeypatch) -> None:
    flow = tiny()
    encode = flow.encode

    def refuse_black(images: Tensor, *, exact: bool = True) -> Tensor:
        black = (images == 0).flatten(1).all(1)
        if exact and black.any():
            raise NotInvertibleError("black")
        z = encode(images).double() if exact else encode(images, exact=False)
        z[black] += 10  # so that it does not come back without verification either
        return z

    monkeypatch.setattr(flow, "encode", refuse_black)
    images = torch.randint(1, 256, (10, 1, *flow.config.size), dtype=torch.uint8)
    images[3] = 0
    sets = {"test split": images}
    found = evaluate(flow, images, sets, n_samples=1, n_drawn=2, batch_size=5)
    assert found["exact_share"] == 0.9
    assert found["float64_share"] == 0.9
    assert found["milliseconds_per_image"]["encode"] > 0
