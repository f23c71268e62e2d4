"""Augmentation of whole batches of images, on their device."""

from typing import Literal

import torch
from torch import Tensor

from zoo.data.noise import uniform

Flips = Literal["none", "horizontal", "all"]


def augment(images: Tensor, flips: Flips, shift: float, *parts: int | str) -> Tensor:
    """Flip and shift every image at random.

    Args:
        images: uint8 (B, C, H, W); square, if all flips are asked for.
        flips: "horizontal": left and right with probability 1/2. "all": each of the square's eight
            symmetries with equal probability.
        shift: Largest shift along each axis, as a share of the side; by whole pixels, the pixels
            of the edge are repeated.
        *parts: Integers and words that the choices are a function of, beside the image.
    """
    turned, vertical, horizontal, down, right = uniform(images, 5, *parts)[:, :, None].unbind(1)
    coins = {"none": (1.0, 1.0), "horizontal": (1.0, 0.5), "all": (0.5, 0.5)}[flips]
    rows = _taken(images.shape[2], vertical >= coins[0], down, shift)
    columns = _taken(images.shape[3], horizontal >= coins[1], right, shift)
    if flips == "all":
        images = torch.where(turned[:, :, None, None] >= 0.5, images.mT, images)
    batch, channels = (torch.arange(n, device=images.device) for n in images.shape[:2])
    return images[
        batch[:, None, None, None],
        channels[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def _taken(side: int, mirrored: Tensor, place: Tensor, shift: float) -> Tensor:
    """Source along an axis of each pixel of the result, (B, side).

    Whether an image is mirrored, and its place in [0, 1) in the range of its shifts, are (B, 1).
    """
    taken = torch.arange(side, device=place.device)
    taken = torch.where(mirrored, side - 1 - taken, taken)
    reach = int(side * shift)
    offset = (place * (2 * reach + 1)).long() - reach
    return (taken + offset).clamp(0, side - 1)
