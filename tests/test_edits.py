"""Edits: steps along directions, levels drawn anew, a temperature for each level."""

import math

import pytest
import torch
from torch.testing import assert_close

import zoo
from tests.test_flow import explode, noise, tiny
from zoo.errors import ArgumentError, LatentError
from zoo.exact.keepsake import kept_pixels

IMAGES = noise(3)
FLOW = tiny()


def directions(flow=FLOW):
    z = flow.encode(noise(40))
    return zoo.directions(z, {"first": z[:, 0], "last": z[:, -1]}, flow=flow)


def test_an_edit_is_a_step_in_the_latents() -> None:
    direction = directions()["first"]
    edited = FLOW.edit(IMAGES, direction, [0.5, -2.0, 0.0])
    steps = torch.tensor([0.5, -2.0, 0.0])[:, None] * direction.vector
    assert torch.equal(edited, FLOW.decode(FLOW.encode(IMAGES) + steps))
    assert torch.equal(edited[2], IMAGES[2])
    assert not torch.equal(edited[1], IMAGES[1])


def test_a_step_of_0_gives_the_same_image_where_pixels_are_kept_in_the_latents() -> None:
    flow = explode(tiny(gain_max=None), 50.0)
    images = torch.cat([noise(2), torch.zeros_like(IMAGES[:1])])
    assert kept_pixels(flow.encode(images))[0].any()
    vector = torch.nn.functional.normalize(torch.randn(96), dim=0)
    assert torch.equal(flow.edit(images, vector, 0), images)


def test_edits_take_sums_of_directions() -> None:
    found = directions()
    both = 0.5 * found["first"].vector - found["last"].vector
    assert torch.equal(FLOW.edit(IMAGES, both, 1.0), FLOW.decode(FLOW.encode(IMAGES) + both))


def test_edits_of_another_size() -> None:
    flow, images = tiny(), noise(8, size=(4, 4))
    vector = torch.zeros(16)
    vector[0] = 1.0
    assert flow.edit(images, vector, 0.1).shape == images.shape


REFUSED = {
    "another flow": (LatentError, "other weights", lambda: tiny(seed=1).edit(IMAGES, D, 1.0)),
    "another size": (
        LatentError,
        "is a direction of images",
        lambda: FLOW.edit(noise(2, size=(12, 8)), D, 1.0),
    ),
    "a vector too short": (
        LatentError,
        "a vector of 96 numbers",
        lambda: FLOW.edit(IMAGES, torch.ones(95), 1.0),
    ),
    "two alphas for three": (
        ArgumentError,
        "alpha must be one finite number or 3",
        lambda: FLOW.edit(IMAGES, D, [1.0, 2.0]),
    ),
    "NaN": (ArgumentError, "finite", lambda: FLOW.edit(IMAGES, D, math.nan)),
    "text": (ArgumentError, "alpha must be", lambda: FLOW.edit(IMAGES, D, "far")),
    "no level": (ArgumentError, "from 0, the finest", lambda: FLOW.resample(IMAGES, [])),
    "level 2 of 2": (ArgumentError, "to 1, the coarsest", lambda: FLOW.resample(IMAGES, 2)),
    "levels as text": (ArgumentError, "levels must be", lambda: FLOW.resample(IMAGES, "0")),
    "three levels' temperatures": (
        ArgumentError,
        r"of shape \(1, 2\) or \(4, 2\)",
        lambda: FLOW.sample(4, temperature=[[1.0, 1.0, 1.0]]),
    ),
}
D = directions()["first"]


@pytest.mark.parametrize(("error", "match", "use"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(error, match, use) -> None:
    with pytest.raises(error, match=match):
        use()


@pytest.mark.parametrize("levels", [0, -1, [0, 1], range(1)], ids=str)
def test_resampling_changes_the_chosen_levels_only(levels) -> None:
    z = FLOW.encode(noise(200))
    fresh = FLOW.redraw(z, levels, temperature=0.5, generator=torch.Generator().manual_seed(0))
    chosen = [levels % 2] if isinstance(levels, int) else list(levels)
    for k, (old, new) in enumerate(zip(FLOW.levels(z), FLOW.levels(fresh), strict=True)):
        assert torch.equal(old, new) == (k not in chosen)
        if k in chosen:
            assert_close(new.std(), torch.tensor(0.5), atol=0.02, rtol=0)


def test_resampling_decodes_what_was_redrawn() -> None:
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    found = FLOW.resample(IMAGES, 0, temperature=[0.3, 0.5, 0.0], generator=seeds[0])
    z = FLOW.redraw(FLOW.encode(IMAGES), [0], temperature=[0.3, 0.5, 0.0], generator=seeds[1])
    assert torch.equal(found, FLOW.decode(z))
    assert not FLOW.levels(z)[0][2].any()


def test_samples_have_a_temperature_for_each_level() -> None:
    def draw(temperature):
        seed = torch.Generator().manual_seed(0)
        return FLOW.encode(FLOW.sample(64, temperature=temperature, generator=seed), exact=False)

    assert torch.equal(draw([[0.5, 0.5]]), draw(0.5))
    fine, coarse = FLOW.levels(draw([[0.0, 1.0]]))
    assert coarse.std() > 5 * fine.std()
    each = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(32, 1)
    fine, coarse = FLOW.levels(draw(each))
    assert coarse[1::2].std() > 5 * coarse[::2].std()
