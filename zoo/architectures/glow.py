"""Glow, the baseline: actnorm, 1 x 1 convolution, affine coupling."""

from dataclasses import dataclass
from functools import partial

from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import standard
from zoo.bijections import ActNorm, AffineCoupling, Conv1x1, Split
from zoo.config import FlowConfig
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class GlowConfig(FlowConfig):
    """Glow's configuration has nothing beyond the common one."""


def glow(config: GlowConfig) -> Flow:
    """Build Glow (Kingma & Dhariwal, 2018, figure 2)."""

    def step(channels: int) -> tuple[ActNorm, Conv1x1, AffineCoupling]:
        coupling = AffineCoupling(channels, config.hidden_channels, **config.coupling)
        return ActNorm(channels), Conv1x1(channels), coupling

    return multiscale(config, step, partial(Split, bounds=config.bounds))


PAPER = {"hidden_channels": 512, "net_actnorm": True, "preprocessing": "center"}

PRESETS = standard(GlowConfig, PAPER)
