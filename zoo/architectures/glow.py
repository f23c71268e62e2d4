"""Glow, the baseline: actnorm, 1 x 1 convolution, affine coupling."""

from dataclasses import dataclass
from functools import partial

from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import standard
from zoo.architectures.registry import Paper, register_architecture
from zoo.bijections import ActNorm, AffineCoupling, Conv1x1, Split
from zoo.config import FlowConfig
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class GlowConfig(FlowConfig):
    """Glow's configuration has nothing beyond the common one."""


PRESETS = standard(GlowConfig, photos=104)
PAPER = Paper(
    "Glow (Kingma & Dhariwal, 2018)",
    "https://arxiv.org/abs/1807.03039",
    """@inproceedings{glow,
  title={Glow: Generative Flow with Invertible 1x1 Convolutions},
  author={Kingma, Diederik P. and Dhariwal, Prafulla},
  booktitle={NeurIPS}, year={2018}
}""",
)


@register_architecture("glow", presets=PRESETS, paper=PAPER)
def glow(config: GlowConfig) -> Flow:
    """Build Glow (Kingma & Dhariwal, 2018, figure 2)."""

    def step(channels: int) -> tuple[ActNorm, Conv1x1, AffineCoupling]:
        coupling = AffineCoupling(channels, config.hidden_channels, **config.coupling)
        return ActNorm(channels), Conv1x1(channels), coupling

    return multiscale(config, step, partial(Split, bounds=config.bounds))
