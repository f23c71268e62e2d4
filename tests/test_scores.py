"""Scores of unusual images, and maps of the likelihood of latents."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from tests.test_flow import noise, tiny
from zoo.errors import ArgumentError
from zoo.flow.scores import coded_bits

FLOW, IMAGES = tiny(), noise(5)


def bits() -> torch.Tensor:
    return FLOW.bits_per_dim(IMAGES, noise=0.5)


def test_likelihood_is_bits_per_dim() -> None:
    assert torch.equal(FLOW.score(IMAGES, "likelihood", noise=0.5), bits())


def test_typicality_is_the_distance_from_the_flow_s_own() -> None:
    found = FLOW.score(IMAGES, "typicality", typical=9.0, noise=0.5)
    assert_close(found, (bits() - 9).abs())


@pytest.mark.parametrize("channels", [1, 3])
def test_complexity_subtracts_the_bits_of_the_shorter_file(channels: int) -> None:
    flow, images = tiny(channels=channels), noise(3, channels)
    images[0] = 7
    found = flow.bits_per_dim(images, noise=0.5) - flow.score(images, "complexity", noise=0.5)
    for image, bits in zip(images, found, strict=True):
        pixels, lengths = np.asarray(image.permute(1, 2, 0).squeeze(2)), []
        for kind, options in (("PNG", {"optimize": True}), ("WEBP", {"lossless": True})):
            data = io.BytesIO()
            Image.fromarray(pixels).save(data, kind, quality=100, **options)
            assert np.array_equal(Image.open(data).convert("L" if channels == 1 else "RGB"), pixels)
            lengths.append(len(data.getvalue()))
        assert_close(float(bits), 8 * min(lengths) / pixels.size)
    assert found[0] < found[1:].min()


REFUSED = {
    "no method": ("method must be one of likelihood", {"method": "beauty"}),
    "nothing typical": ("typical, the mean bits/dim", {"method": "typicality"}),
    "typical for nothing": ("belongs to typicality", {"method": "likelihood", "typical": 1.0}),
}


@pytest.mark.parametrize(("match", "options"), REFUSED.values(), ids=REFUSED)
def test_options_that_do_not_fit_are_refused(match: str, options: dict) -> None:
    with pytest.raises(ArgumentError, match=match):
        FLOW.score(IMAGES, **options)


def test_complexity_of_two_channels_is_refused() -> None:
    with pytest.raises(ArgumentError, match="1 or 3 channels"):
        coded_bits(noise(1, 2))


def test_images_too_long_for_webp_are_coded_as_png() -> None:
    assert (coded_bits(torch.zeros(2, 1, 4, 16400, dtype=torch.uint8)) < 1).all()


def test_a_map_sums_up_to_the_density_of_the_latents() -> None:
    flow = tiny(levels=3, size=(8, 16))
    images = noise(2, size=(8, 16))
    maps = flow.likelihood_map(images)
    assert maps.shape == (2, 3, 8, 16)
    z = flow.encode(images, exact=False).double()
    wanted = -0.5 * (z.square() + math.log(2 * math.pi)).sum(1)
    assert_close(maps.sum((1, 2, 3)), wanted)


def test_a_position_of_a_map_is_one_of_the_latents() -> None:
    flow = tiny(levels=3, size=(8, 16))
    images = noise(1, size=(8, 16))
    maps, levels = flow.likelihood_map(images)[0], flow.levels(flow.encode(images, exact=False))
    for level, z in zip(maps, levels, strict=True):
        side = 8 // z.shape[2]
        squares = level.unfold(0, side, side).unfold(1, side, side)
        assert torch.equal(squares, squares[..., :1, :1].expand_as(squares))
        wanted = -0.5 * (z[0].double().square() + math.log(2 * math.pi)).sum(0)
        assert_close(squares.sum((2, 3)), wanted)
