"""Emerging, a baseline: actnorm, 1 x 1 convolution, emerging convolution, affine coupling."""

from dataclasses import dataclass
from functools import partial

from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import STABLE, standard
from zoo.architectures.registry import Paper, register_architecture
from zoo.bijections import ActNorm, AffineCoupling, Bijection, Conv1x1, EmergingConv2d, Split
from zoo.config import PaddedConvConfig
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class EmergingConfig(PaddedConvConfig):
    """Configuration of a flow with emerging convolutions; kernel_size is odd."""


PRESETS = standard(EmergingConfig, STABLE)
PAPER = Paper(
    "Emerging convolutions (Hoogeboom, van den Berg & Welling, 2019)",
    "https://arxiv.org/abs/1901.11137",
    """@inproceedings{emerging,
  title={Emerging Convolutions for Generative Normalizing Flows},
  author={Hoogeboom, Emiel and van den Berg, Rianne and Welling, Max},
  booktitle={ICML}, year={2019}
}""",
)


@register_architecture("emerging", presets=PRESETS, paper=PAPER)
def emerging(config: EmergingConfig) -> Flow:
    """Build Glow with emerging convolutions (Hoogeboom et al., 2019)."""

    def step(channels: int) -> tuple[Bijection, ...]:
        convolution = EmergingConv2d(channels, **config.options)
        coupling = AffineCoupling(channels, config.hidden_channels, **config.coupling)
        return ActNorm(channels), Conv1x1(channels), convolution, coupling

    return multiscale(config, step, partial(Split, bounds=config.bounds))
