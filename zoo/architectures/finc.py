"""FInC Flow: FInC unit, actnorm, 1 x 1 convolution, affine coupling."""

from dataclasses import dataclass, replace
from typing import Any

from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import COMPACT_GREY, IMAGENET64, MNIST, STABLE, standard
from zoo.architectures.registry import Paper, register_architecture
from zoo.bijections import ActNorm, AffineCoupling, Bijection, Conv1x1, FInCUnit
from zoo.config import PaddedConvConfig
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class FIncConfig(PaddedConvConfig):
    """Configuration of FInC Flow."""


PUBLISHED: dict[str, Any] = {"hidden_channels": 512, "net_actnorm": False, "preprocessing": "logit"}

# The paper's table has L = 3, K = 32 for 64 x 64 images.
LARGE = FIncConfig(**{**IMAGENET64, "levels": 3}, **PUBLISHED, steps=32)

SHARED = standard(FIncConfig, STABLE, PUBLISHED, mnist=62, photos=96)
PRESETS = {
    **SHARED,
    # Trains on one GPU in minutes; 38 MB of weights.
    "large_cifar10": replace(SHARED["compact_cifar10"], hidden_channels=448),
    "compact_mnist_conditional": FIncConfig(
        **COMPACT_GREY, **STABLE, hidden_channels=64, classes=10
    ),
    "paper_mnist": FIncConfig(**MNIST, **PUBLISHED, steps=16),
    "paper_imagenet64": LARGE,
    "paper_celeba64": LARGE,
}
PAPER = Paper(
    "FInC Flow (Kallappa, Nagar & Varma, 2023)",
    "https://arxiv.org/abs/2301.09266",
    """@article{finc,
  title={FInC Flow: Fast and Invertible k x k Convolutions for Normalizing Flows},
  author={Kallappa, Aditya and Nagar, Sandeep and Varma, Girish},
  journal={arXiv:2301.09266}, year={2023}
}""",
)


@register_architecture("finc", presets=PRESETS, paper=PAPER)
def finc(config: FIncConfig) -> Flow:
    """Build FInC Flow (Nagar et al., 2023, section 3); a coupling is the split's prior."""

    def coupling(channels: int) -> AffineCoupling:
        return AffineCoupling(channels, config.hidden_channels, **config.coupling)

    def step(channels: int) -> tuple[Bijection, ...]:
        unit = FInCUnit(channels, **config.options)
        return unit, ActNorm(channels), Conv1x1(channels), coupling(channels)

    return multiscale(config, step, coupling)
