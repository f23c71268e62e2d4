"""FInC Flow: FInC unit, actnorm, 1 x 1 convolution, affine coupling."""

from dataclasses import dataclass
from typing import Any

from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import IMAGENET64, MNIST, STABLE, standard
from zoo.bijections import ActNorm, AffineCoupling, Bijection, Conv1x1, FInCUnit
from zoo.config import PaddedConvConfig
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class FIncConfig(PaddedConvConfig):
    """Configuration of FInC Flow."""


def finc(config: FIncConfig) -> Flow:
    """Build FInC Flow (Nagar et al., 2023, section 3); a coupling is the split's prior."""

    def coupling(channels: int) -> AffineCoupling:
        return AffineCoupling(channels, config.hidden_channels, **config.coupling)

    def step(channels: int) -> tuple[Bijection, ...]:
        unit = FInCUnit(channels, **config.options)
        return unit, ActNorm(channels), Conv1x1(channels), coupling(channels)

    return multiscale(config, step, coupling)


PAPER: dict[str, Any] = {"hidden_channels": 512, "net_actnorm": False, "preprocessing": "logit"}

# The paper's table has L = 3, K = 32 for 64 x 64 images.
LARGE = FIncConfig(**{**IMAGENET64, "levels": 3}, **PAPER, steps=32)

PRESETS = {
    **standard(FIncConfig, PAPER, STABLE),
    "paper_mnist": FIncConfig(**MNIST, **PAPER, steps=16),
    "paper_imagenet64": LARGE,
    "paper_celeba64": LARGE,
}
