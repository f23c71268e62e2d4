"""Attributes, of images whose attributes are known."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from zoo.errors import ArgumentError
from zoo.latents.attributes import (
    ATTRIBUTES,
    brightness,
    measure,
    saturation,
    sharpness,
    slant,
    stroke_width,
)


def bar(width: int, lean: float = 0.0, side: int = 40) -> Tensor:
    """A light bar of 24 rows, leaning to the right, (1, 1, side, side)."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    middle = side / 2 - lean * (y - side / 2)
    inside = ((x - middle).abs() <= width / 2) & (y >= 8) & (y < 32)
    return (255 * inside).to(torch.uint8)[None, None]


def gratings(period: int) -> Tensor:
    wave = torch.arange(64).div(period / 2, rounding_mode="floor") % 2
    return (255 * wave).to(torch.uint8).expand(1, 1, 64, 64)


@pytest.mark.parametrize("lean", [-0.5, 0.0, 0.25, 1.0])
def test_slant_is_the_tangent_of_the_lean(lean: float) -> None:
    assert_close(slant(bar(3, lean)), torch.tensor([lean]).double(), atol=0.06, rtol=0)


def test_stroke_width_is_that_of_a_long_stroke_and_grows_with_it() -> None:
    line = torch.zeros(1, 1, 200, 40, dtype=torch.uint8)
    line[..., 2:198, 18:22] = 255
    assert_close(stroke_width(line), torch.tensor([4.0]).double(), atol=0.1, rtol=0)
    widths = [float(stroke_width(bar(width))) for width in (2, 4, 6, 8)]
    assert widths == sorted(set(widths))


def test_stroke_width_does_not_depend_on_the_ink_s_brightness() -> None:
    assert_close(stroke_width(bar(4) // 3), stroke_width(bar(4)))


def test_brightness_and_saturation_of_single_colours() -> None:
    colours = torch.tensor([[255, 255, 255], [255, 0, 0], [51, 51, 102]], dtype=torch.uint8)
    images = colours[:, :, None, None].expand(-1, -1, 4, 4)
    assert_close(brightness(images), torch.tensor([1, 1 / 3, 4 / 15]).double())
    assert_close(saturation(images), torch.tensor([0, 1, 0.2]).double())


def test_sharpness_falls_with_blur_and_not_with_contrast() -> None:
    fine, coarse = gratings(4), gratings(32)
    assert sharpness(fine) > 4 * sharpness(coarse)
    assert_close(sharpness(fine // 5), sharpness(fine))
    noise = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    assert_close(sharpness(noise), torch.ones(1).double(), atol=0.05, rtol=0)
    blurred = F.avg_pool2d(noise.double(), 3, 1, 1)
    assert sharpness(blurred) < 0.5 * sharpness(noise)


def test_what_an_image_has_not_is_nan() -> None:
    black = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    for name in ("slant", "stroke_width", "sharpness"):
        assert ATTRIBUTES[name](black).isnan().all()


def test_measuring_several_by_name() -> None:
    found = measure(bar(3), ["slant", "brightness"])
    assert list(found) == ["slant", "brightness"]
    assert torch.equal(found["brightness"], brightness(bar(3)))
    with pytest.raises(ArgumentError, match="no attribute 'slunt'. Did you mean slant"):
        measure(bar(3), ["slunt"])
