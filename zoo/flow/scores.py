"""Scores of images that are not of a flow's data: the higher, the more unusual."""

import io
import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import ArgumentError, require
from zoo.flow.normal import log_normal

Method = Literal["likelihood", "typicality", "complexity"]
CODED_CHANNELS = (1, 3)
WEBP_SIDE = 16383  # the longest that the format has


def check_method(method: object, typical: object) -> None:
    """Raise ArgumentError unless a method of scoring, with what it needs."""
    if method not in get_args(Method):
        choices = ", ".join(get_args(Method))
        raise ArgumentError(f"method must be one of {choices}; got {method!r}.")
    if (method == "typicality") != (typical is not None):
        raise ArgumentError(
            "typical, the mean bits/dim of the flow's own data, belongs to typicality and to no "
            "other method. For some images: float(flow.bits_per_dim(images).mean()); eval.json "
            "has it of the test split."
        )


def coded_bits(images: Tensor) -> Tensor:
    """Bits per dimension of each image as lossless WebP or PNG, whichever is shorter, (B,) float64.

    Beyond a side of 16,383 it is PNG, for WebP ends there. Both headers count too: this many bits
    for every image of one size.

    Args:
        images: uint8 (B, C, H, W) of 1 or 3 channels.
    """
    if images.shape[1] not in CODED_CHANNELS:
        raise ArgumentError(f"complexity is of 1 or 3 channels; got {images.shape[1]}.")
    pixels = images.cpu().permute(0, 2, 3, 1).squeeze(3).numpy()
    kinds = ("PNG", "WEBP") if max(images.shape[2:]) <= WEBP_SIDE else ("PNG",)
    lengths = [min(_coded(image, kind) for kind in kinds) for image in pixels]
    bits = 8 * torch.tensor(lengths, dtype=torch.float64, device=images.device)
    return bits / math.prod(images.shape[1:])


def _coded(pixels: object, kind: str) -> int:
    """Bytes of a picture in a format."""
    image = require("PIL.Image", "train")  # torch.hub loads flows without Pillow
    data = io.BytesIO()
    options = {"optimize": True} if kind == "PNG" else {"lossless": True, "quality": 100}
    image.fromarray(pixels).save(data, kind, **options)
    return data.tell()


def prior_map(levels: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Log-density of latents by level, summed over channels, spread over the image's pixels.

    Args:
        levels: (B, C_l, H_l, W_l) each.
        size: (H, W) of the image.

    Returns:
        (B, L, H, W) float64 in nats; the sum of it all is the log-density of the latents.
    """
    maps = []
    for z in levels:
        share = z.shape[2] * z.shape[3] / math.prod(size)
        maps.append(F.interpolate(log_normal(z)[:, None], size, mode="nearest") * share)
    return torch.cat(maps, dim=1)
