"""The levels of a flow, as the cards show them."""

from typing import NamedTuple

from torch import nn

from zoo.bijections import Chain
from zoo.flow import Flow


class Level(NamedTuple):
    """One level of a flow.

    Attributes:
        maps: (C, H, W) after its squeeze.
        step: Classes of the layers of one step.
        steps: Number of steps.
        end: Class of the split, or of the prior of the last level.
        latents: (C, H, W) of what leaves it as latents.
        parameters: Number of them.
    """

    maps: tuple[int, int, int]
    step: tuple[str, ...]
    steps: int
    end: str
    latents: tuple[int, int, int]
    parameters: int


def levels_of(flow: Flow) -> list[Level]:
    """The levels of a flow for images of its own size, finest first."""
    shapes = flow.level_shapes()
    return [_level(flow, *pair) for pair in zip(flow.blocks, shapes, strict=True)]


def _level(flow: Flow, block: Chain, latents: tuple[int, int, int]) -> Level:
    _, *layers, end = [type(layer).__name__ for layer in block.bijections]
    steps, last = flow.config.steps, block is flow.blocks[-1]
    channels, height, width = latents
    return Level(
        maps=(channels if last else 2 * channels, height, width),
        step=tuple(layers[: len(layers) // steps]),
        steps=steps,
        end=type(flow.prior).__name__ if last and flow.prior else end,
        latents=latents,
        parameters=_parameters(block) + (_parameters(flow.prior) if last and flow.prior else 0),
    )


def _parameters(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())
