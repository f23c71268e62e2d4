"""The benchmarks of directions and of scores, on flows and images whose answers are known."""

import math

import pytest
import torch
from torch.testing import assert_close

from benchmarks import directions, unusual
from tests.test_flow import noise, tiny
from zoo.latents import attributes
from zoo.sources import MODELS

FLOW = tiny()


def test_a_row_says_what_an_image_became_where_it_reached_its_goal() -> None:
    images, vector = noise(4), torch.nn.functional.normalize(torch.ones(96), dim=0)
    z, deviations = FLOW.encode(images), dict.fromkeys(directions.GOALS, 0.5)
    data = directions.Data(images, z, torch.zeros(4), lambda x: torch.arange(len(x)), deviations)
    arriving = [[0, 2], [], [0]]  # of those that are still on the way, at each step
    left = arriving + [[]] * (len(directions.ALPHAS) - 3)
    count = len(left)

    def stepped(moved, rows):
        alpha = count - len(left) + 1
        assert torch.equal(moved, FLOW.decode(z[rows] + alpha * vector))
        return torch.isin(torch.arange(len(rows)), torch.tensor(left.pop(0), dtype=torch.long))

    way = directions.Way("class", "paper", 0.5, vector.expand_as(z))
    row = directions._row(FLOW, data, way, stepped)
    # The first and the third arrive after one step, the second after three, the last never.
    there, alphas = [0, 1, 2], torch.tensor([[1.0], [3.0], [1.0]])
    after, before = FLOW.decode(z[there] + alphas * vector), images[there]
    assert row.reached == 0.75
    assert row.alpha == 1.0
    assert row.kept_class == 1 / 3
    rms = (after.double() - before).square().mean((1, 2, 3)).sqrt().mean()
    assert_close(row.pixels, float(rms))
    bits = [FLOW.bits_per_dim(images, noise=0.5).mean() for images in (after, before)]
    assert_close(row.bits_per_dim, float(bits[0] - bits[1]))
    change = (attributes.slant(after) - attributes.slant(before)).abs().mean()
    assert_close(row.slant, float(change) / 0.5)


def test_every_way_is_measured_to_every_goal(monkeypatch) -> None:
    def split(name, data_dir, split, count):
        labels = torch.arange(count) % 3
        images = torch.full((count, 1, 8, 12), 20, dtype=torch.uint8)
        images[labels == 0, :, :4, 2:5] = 200
        images[labels == 1, :, 2:, 6:9] = 200
        images[labels == 2, :, 1:7, 9:11] = 200
        return images + noise(count) // 16, labels

    monkeypatch.setattr(directions.zoo, "load", lambda name: FLOW)
    monkeypatch.setattr(directions, "_split", split)
    rows = directions.measure("tiny", None, 300, 20, 0)
    assert [(row.goal, row.method) for row in rows] == [
        (goal, method)
        for goal in ("class", "slant", "stroke_width")
        for method in directions.METHODS
    ]
    for row in rows[: len(directions.METHODS)]:
        assert row.reached > 0.5
        assert row.kept_class == 0
        assert math.isfinite(row.pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_scores_are_told_apart_as_pairs_are(channels: int, monkeypatch) -> None:
    flow = tiny(channels=channels, size=(32, 32))
    data = "cifar10" if channels == 3 else "mnist"
    digits = torch.zeros(6, 1, 28, 28, dtype=torch.uint8)
    digits[:, :, 8:20, 12:16] = 255

    def load_images(name, data_dir, split):
        return digits if "mnist" in name and name != data else noise(8, channels, (32, 32))

    monkeypatch.setattr(unusual.zoo, "load", lambda name: flow)
    monkeypatch.setattr(unusual, "load_images", load_images)
    model = next(model for model in MODELS.values() if model.dataset == data)
    rows = unusual.measure(model.name, None, 6, 0)
    names = {1: ["fashion_mnist", "constant"]}
    names[3] = ["mnist", "fashion_mnist", "coloured digits", "constant"]
    assert [row.other for row in rows] == names[channels]
    own, other = noise(8, channels, (32, 32))[:6], unusual._fit(digits, channels, (32, 32))
    for method, found in (("likelihood", rows[0].likelihood), ("complexity", rows[0].complexity)):
        seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
        mine, others = (
            flow.score(images, method, generator=seed)
            for images, seed in zip((own, other), seeds, strict=True)
        )
        assert_close(found, float((others[:, None] > mine).double().mean()))


def test_coloured_digits_are_three_colours_that_change_smoothly() -> None:
    digits = torch.zeros(2, 1, 32, 32, dtype=torch.uint8)
    digits[:, :, 10:20, 14:18] = 255
    images = unusual.coloured(digits, 0).int()
    assert images.shape == (2, 3, 32, 32)
    assert int((images[:, :, 0].diff(dim=-1)).abs().max()) <= 9
    inside = images[:, :, 12:18, 15:17].flatten(2)
    assert torch.equal(inside, inside[..., :1].expand_as(inside))
    assert not torch.equal(images[0], images[1])
