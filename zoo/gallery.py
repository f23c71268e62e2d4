"""Pictures of what a flow does, as grids."""

from typing import NamedTuple

import torch
from torch import Tensor

from zoo.flow import Flow
from zoo.golden import Golden

TEMPERATURE = 0.8
STEPS = 10
DRAWS = 9


class Grid(NamedTuple):
    """Images uint8 (N, C, H, W) to be shown in rows of `columns`."""

    images: Tensor
    columns: int


def gallery(flow: Flow, golden: Golden) -> dict[str, Grid]:
    """Grids by file name, the same for the same weights.

    Args:
        flow: In eval mode.
        golden: Its golden tensors; their images are shown, those of the data set if there are any.
    """
    natural = golden.images[: golden.natural or len(golden.images)]
    generator = torch.Generator(flow.device).manual_seed(0)
    samples = flow.sample(64, temperature=TEMPERATURE, generator=generator)
    grids = {
        "samples.png": Grid(samples, 8),
        "reconstructions.png": Grid(reconstructions(flow, golden.images), 12),
        "interpolation.png": Grid(interpolation(flow, natural), STEPS),
    }
    if len(flow.blocks) > 1:
        grids["resampling.png"] = Grid(resampling(flow, natural[:8], generator), 1 + DRAWS)
    return grids


def reconstructions(flow: Flow, images: Tensor) -> Tensor:
    """Each image, what it decodes to, and their difference: (B, C, H, W) -> (3B, C, H, W)."""
    back = flow.decode(flow.encode(images), (images.shape[2], images.shape[3]))
    difference = (images.short() - back.short()).abs().to(torch.uint8)
    return torch.stack([images, back, difference], dim=1).flatten(0, 1)


def interpolation(flow: Flow, images: Tensor) -> Tensor:
    """STEPS images from each one of the first half to its partner in the second half."""
    half = len(images) // 2
    return flow.interpolate(images[:half], images[half : 2 * half], STEPS).flatten(0, 1)


def resampling(flow: Flow, images: Tensor, generator: torch.Generator) -> Tensor:
    """Rows of each image and DRAWS with its coarse latents kept and finer ones drawn anew.

    First for all images with the finest level drawn, then with the two finest, up to all but the
    coarsest. (B, C, H, W) -> ((L - 1) * B * (1 + DRAWS), C, H, W).
    """
    z = flow.encode(images)
    rows = [_redrawn(flow, images, z, drawn, generator) for drawn in range(1, len(flow.blocks))]
    return torch.cat(rows)


def _redrawn(
    flow: Flow, images: Tensor, z: Tensor, drawn: int, generator: torch.Generator
) -> Tensor:
    finer, coarser = flow.levels(z)[:drawn], flow.levels(z)[drawn:]
    columns = [images]
    for _ in range(DRAWS):
        fresh = [TEMPERATURE * _noise_like(x, generator) for x in finer]
        columns.append(flow.decode(flow.flatten([*fresh, *coarser])))
    return torch.stack(columns, dim=1).flatten(0, 1)


def _noise_like(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, dtype=x.dtype, device=x.device)
