"""The levels of a flow, as `print` and the cards show them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import nn

from zoo.bijections import Chain
from zoo.config import FlowConfig

Shape = tuple[int, int, int]


class Multiscale(Protocol):
    """Interface of a flow whose levels are shown: `zoo.Flow` has it."""

    config: FlowConfig
    blocks: Sequence[Chain]

    @property
    def prior(self) -> nn.Module | None:
        """Prior of the last level, if it has one of its own."""

    def level_shapes(self) -> list[Shape]:
        """(C_l, H_l, W_l) of the latents of each level, finest first."""


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

    maps: Shape
    step: tuple[str, ...]
    steps: int
    end: str
    latents: Shape
    parameters: int


def levels_of(flow: Multiscale) -> list[Level]:
    """The levels of a flow for images of its own size, finest first."""
    shapes = flow.level_shapes()
    return [_level(flow, *pair) for pair in zip(flow.blocks, shapes, strict=True)]


def _level(flow: Multiscale, block: Chain, latents: Shape) -> Level:
    names = [type(layer).__name__ for layer in block.bijections]
    layers, steps, last = names[1:-1], flow.config.steps, block is flow.blocks[-1]
    prior = flow.prior if last else None
    channels, height, width = latents
    return Level(
        maps=(channels if last else 2 * channels, height, width),
        step=tuple(layers[: len(layers) // steps]),
        steps=steps,
        end=type(prior).__name__ if prior else names[-1],
        latents=latents,
        parameters=_parameters(block) + (_parameters(prior) if prior else 0),
    )


def _parameters(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


def overview(flow: Multiscale) -> str:
    """A table with a line for each level, within a screen."""
    heads = (
        f"{'level':<6} {'maps':<11} {'latents':<11} {'parameters':>10} {'steps':>6}  layers of each"
    )
    return "\n".join([heads, *(_line(*pair) for pair in enumerate(levels_of(flow), start=1))])


def _line(number: int, level: Level) -> str:
    maps, latents = ("x".join(map(str, shape)) for shape in (level.maps, level.latents))
    return (
        f"{number:<6} {maps:<11} {latents:<11} {level.parameters:>10,} {level.steps:>6}  "
        f"{', '.join(level.step)}"
    )
