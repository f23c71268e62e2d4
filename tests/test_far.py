"""A picture that is far from a flow's data is said to be."""

import json
import math

import pytest
import torch

import zoo
from tests.folders import save_folder
from tests.test_flow import noise, tiny
from zoo.cli import coding
from zoo.evaluation.outliers import EDGES, TEST, bits_of_crops, most_bits
from zoo.pictures import write_image
from zoo.sources import parse


def histogram(*filled: int) -> dict:
    counts = [int(i in filled) for i in range(len(EDGES) - 1)]
    return {"edges": EDGES.tolist(), "sets": {TEST: {"counts": counts}}}


def test_the_most_bits_are_where_the_histogram_of_test_images_ends() -> None:
    assert most_bits(histogram(4, 7)) == 2.0  # the bins are a quarter wide
    assert most_bits(histogram(4, 47)) == math.inf


@pytest.mark.parametrize(("size", "crops"), [((8, 12), 1), ((16, 40), 6), ((4, 12), 1)])
def test_large_images_are_scored_by_crops_of_the_training_size(size, crops, monkeypatch) -> None:
    flow, seen = tiny(), []
    score = flow.bits_per_dim
    monkeypatch.setattr(flow, "bits_per_dim", lambda x, **o: seen.append(len(x)) or score(x, **o))
    image = torch.randint(0, 256, (1, *size), dtype=torch.uint8)
    assert math.isfinite(bits_of_crops(flow, image))
    assert seen == [crops]


def test_encode_says_of_noise_and_not_of_a_digit_that_it_is_far(run, tmp_path) -> None:
    digit = parse("finc_mnist").folder().golden.images[0]
    write_image(digit, tmp_path / "digit.png")
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (1, 60, 30), dtype=torch.uint8, generator=generator)
    write_image(noise, tmp_path / "noise.png")
    files = (tmp_path / "digit.png", tmp_path / "noise.png")
    code, out, _ = run("encode", *files, "-o", tmp_path / "z", "-m", "finc_mnist")
    assert code == 0
    assert "noise.png: padded 60x30 to 60x32" in out
    assert "noise.png: unlike the model's data" in out
    assert "digit.png: unlike" not in out


@pytest.mark.parametrize("content", [{}, {"likelihood_histogram": {}}, {"bits_per_dim": 1.0}])
def test_an_evaluation_that_lacks_a_histogram_is_as_none(run, tmp_path, content: dict) -> None:
    save_folder(tiny(), tmp_path / "model")
    (tmp_path / "model" / "eval.json").write_text(json.dumps(content))
    write_image(noise(1)[0], tmp_path / "a.png")
    model = f"local-dir:{tmp_path / 'model'}"
    code, out, _ = run("encode", tmp_path / "a.png", "-o", tmp_path / "z", "-m", model)
    assert code == 0
    assert "unlike" not in out


def test_many_images_are_read_in_parts_and_all_come_back(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(coding, "MOST_NUMBERS", 1500)
    flow = zoo.load("finc_mnist")
    sizes = [(28, 28), (56, 28), (28, 28), (30, 28)]
    images = [torch.randint(0, 256, (1, *size), dtype=torch.uint8) for size in sizes]
    for i, image in enumerate(images):
        write_image(image, tmp_path / "in" / f"sub{i % 2}" / f"{i}.png")
    assert run("encode", tmp_path / "in", "-o", tmp_path / "z", "-m", "finc_mnist")[0] == 0
    assert run("decode", tmp_path / "z", "-o", tmp_path / "out")[0] == 0
    back = zoo.read_images(tmp_path / "out", flow)
    order = [0, 2, 1, 3]  # by their folders, which they keep
    assert all(torch.equal(a, images[i]) for a, i in zip(back, order, strict=True))
