"""Attributes of images that no one has labelled: one number (N,) float64 for each image.

    from zoo.latents.attributes import measure, slant

    slant(images)  # uint8 (N, C, H, W) -> (N,)
    measure(images, ["slant", "brightness"])  # a dict, for zoo.directions

NaN stands for what an image does not have: a black one has no slant.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import ArgumentError, suggest


def stroke_width(images: Tensor) -> Tensor:
    """Mean width of light strokes on a dark ground, in pixels.

    Each pixel of edge has half of a stroke's width of ink beside it. So the width is twice the ink
    over the length of the edge, as sums of the light and of its gradient. The ends of strokes are
    edges too: a bar of 4 x 20 pixels counts as 3.4.

    Source: the ratio of area to perimeter, as in Castro et al., Morpho-MNIST, 2019, section 3.
    """
    light = _light(images)
    padded = F.pad(light, (1, 1, 1, 1))
    down, right = padded.diff(dim=1)[:, :, 1:], padded.diff(dim=2)[:, 1:]
    edge = (down.square() + right.square()).sqrt().sum((1, 2))
    return 2 * light.sum((1, 2)) / edge


def slant(images: Tensor) -> Tensor:
    """Tangent of the angle by which light strokes lean to the right; 1 is 45 degrees.

    Source: LeCun et al., 1998, for the deskewing of digits by the same moments.
    """
    light = _light(images)
    height, width = light.shape[1:]
    y = torch.arange(height, dtype=light.dtype, device=light.device)[:, None]
    x = torch.arange(width, dtype=light.dtype, device=light.device)
    ink = light.sum((1, 2), keepdim=True)
    y = y - (light * y).sum((1, 2), keepdim=True) / ink  # (N, H, 1)
    x = x - (light * x).sum((1, 2), keepdim=True) / ink
    return -(light * x * y).sum((1, 2)) / (light * y.square()).sum((1, 2))


def brightness(images: Tensor) -> Tensor:
    """Mean of the light of all pixels, from 0 to 1."""
    return _light(images).mean((1, 2))


def saturation(images: Tensor) -> Tensor:
    """Mean distance of the strongest from the weakest colour of a pixel, from 0 to 1; grey is 0."""
    colours = images.double() / 255
    return (colours.amax(1) - colours.amin(1)).mean((1, 2))


def sharpness(images: Tensor) -> Tensor:
    """Share of the contrast that lies between neighbouring pixels, from 0; a blur lowers it.

    The mean square of the differences of neighbours over twice the variance of all pixels: about 1
    for noise, near 0 for a smooth image, and NaN for an image of one colour.
    """
    light = _light(images)
    down, right = light.diff(dim=1).square(), light.diff(dim=2).square()
    differences = (down.mean((1, 2)) + right.mean((1, 2))) / 2
    return differences / (2 * light.flatten(1).var(1, correction=0))


ATTRIBUTES: dict[str, Callable[[Tensor], Tensor]] = {
    "stroke_width": stroke_width,
    "slant": slant,
    "brightness": brightness,
    "saturation": saturation,
    "sharpness": sharpness,
}


def measure(images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    """Some attributes of uint8 images (N, C, H, W), each (N,).

    Raises:
        ArgumentError: If an attribute is not known.
    """
    if unknown := [name for name in names if name not in ATTRIBUTES]:
        raise ArgumentError(f"no attribute {unknown[0]!r}.{suggest(unknown[0], ATTRIBUTES)}")
    return {name: ATTRIBUTES[name](images) for name in names}


def _light(images: Tensor) -> Tensor:
    """Mean of the channels, (N, H, W) in [0, 1]."""
    return images.double().mean(1) / 255
