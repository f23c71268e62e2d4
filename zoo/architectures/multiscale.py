"""The frame that all architectures share: levels of squeeze, steps and split."""

from collections.abc import Callable, Iterable

from zoo.bijections import ActNorm, Bijection, Chain, Squeeze
from zoo.config import FlowConfig
from zoo.flow import Flow


def multiscale(
    config: FlowConfig,
    step: Callable[[int], Iterable[Bijection]],
    split: Callable[[int], Bijection],
) -> Flow:
    """Build L levels of: squeeze, K steps, and a split that factors half of the channels out.

    The last level has no split; its prior is a Gaussian per channel, learned as an ActNorm.

    Args:
        config: Sizes.
        step: Makes the bijections of one step for a number of channels.
        split: Makes the whitening split for a number of channels.
    """
    levels, channels = [], config.channels
    for level in range(config.levels):
        channels *= 4
        layers: list[Bijection] = [Squeeze(config.channels if config.colour_last else 1)]
        for _ in range(config.steps):
            layers += step(channels)
        last = level == config.levels - 1
        levels.append(Chain([*layers, ActNorm(channels) if last else split(channels)]))
        channels //= 2
    return Flow(config, levels)
