"""Pictures of what a flow does, as grids."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.errors import NonFiniteError
from zoo.flow import Flow
from zoo.folder.golden import Golden

TEMPERATURE = 0.8
STEPS = 10
DRAWS = 3
OF_IMAGES = ("interpolation.png", "resampling.png")
PICTURES = ("samples.png", "reconstructions.png", *OF_IMAGES)
NO_IMAGES = (
    "golden.safetensors holds fewer than two natural images. flowzoo export --data-dir puts those "
    "of the test split there: of a data set whose licence lets them be passed on, or with "
    "--include-images if they are yours. --pictures takes others"
)


class Grid(NamedTuple):
    """Images uint8 (N, C, H, W) to be shown in rows of `columns`."""

    images: Tensor
    columns: int


class Gallery(NamedTuple):
    """Grids by file name, and for those that cannot be drawn the reason."""

    grids: dict[str, Grid]
    missing: dict[str, str]


def gallery(flow: Flow, golden: Golden) -> Gallery:
    """Every grid that can be drawn, the same for the same weights.

    Interpolation and resampling are of natural images only: between patterns and noise lie
    latents like those of no image, which a flow may well decode to infinity.

    Args:
        flow: In eval mode.
        golden: Its golden tensors, whose images are shown.
    """
    drawn = Gallery({}, {})
    for name, draw in _pictures(flow, golden).items():
        if name in OF_IMAGES and golden.natural < 2:
            drawn.missing[name] = NO_IMAGES
            continue
        try:
            images, columns = draw()
            drawn.grids[name] = Grid(images.cpu(), columns)
        except NonFiniteError as error:
            drawn.missing[name] = str(error)
    return drawn


def _pictures(flow: Flow, golden: Golden) -> dict[str, Callable[[], Grid]]:
    """Functions that draw each grid; in this order, as they share a generator."""
    images = golden.images.to(flow.device)
    natural = images[: golden.natural]
    generator = torch.Generator().manual_seed(0)
    pictures = {
        "samples.png": lambda: Grid(samples(flow, generator), 8),
        "reconstructions.png": lambda: Grid(reconstructions(flow, images), 12),
        "interpolation.png": lambda: Grid(interpolation(flow, natural), STEPS),
        "resampling.png": lambda: Grid(
            resampling(flow, natural[:8], generator), 1 + DRAWS * len(flow.blocks)
        ),
    }
    if len(flow.blocks) == 1:
        del pictures["resampling.png"]
    return pictures


def samples(flow: Flow, generator: torch.Generator) -> Tensor:
    """64 samples (64, C, H, W); those of a flow with classes in the order of these."""
    classes = flow.config.classes
    label = torch.arange(64) * classes // 64 if classes else None
    return flow.sample(64, temperature=TEMPERATURE, generator=generator, label=label)


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
    """Each image, then DRAWS with the latents of one level drawn anew and the others kept.

    First the finest level, last the coarsest. (B, C, H, W) -> (B * (1 + L * DRAWS), C, H, W).
    """
    z, columns = flow.encode(images), [images]
    for level in range(len(flow.blocks)):
        for _ in range(DRAWS):
            fresh = flow.redraw(z, [level], temperature=TEMPERATURE, generator=generator)
            columns.append(flow.decode(fresh))
    return torch.stack(columns, dim=1).flatten(0, 1)
