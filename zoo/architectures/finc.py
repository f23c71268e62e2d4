"""FInC Flow: FInC unit, actnorm, 1 x 1 convolution, affine coupling."""

from dataclasses import dataclass

from zoo.architectures.config import FlowConfig
from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import CIFAR10, COMPACT_CIFAR10, COMPACT_MNIST, IMAGENET32, IMAGENET64, MNIST
from zoo.bijections import ActNorm, AffineCoupling, Bijection, Conv1x1, FInCUnit
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class FIncConfig(FlowConfig):
    """Configuration of FInC Flow.

    Attributes:
        kernel_size: k of the invertible convolutions.
    """

    kernel_size: int = 3


def finc(config: FIncConfig) -> Flow:
    """Build FInC Flow (Nagar et al., 2023, section 3); a coupling is the split's prior."""

    def coupling(channels: int) -> AffineCoupling:
        return AffineCoupling(channels, config.hidden_channels, actnorm=config.net_actnorm)

    def step(channels: int) -> tuple[Bijection, ...]:
        unit = FInCUnit(channels, config.kernel_size)
        return unit, ActNorm(channels), Conv1x1(channels), coupling(channels)

    return multiscale(config, step, coupling)


PAPER = {"hidden_channels": 512, "net_actnorm": False, "preprocessing": "logit"}

PRESETS = {
    "paper_mnist": FIncConfig(**MNIST, **PAPER, steps=16),
    "paper_cifar10": FIncConfig(**CIFAR10, **PAPER, steps=32),
    "paper_imagenet32": FIncConfig(**IMAGENET32, **PAPER, steps=48),
    "paper_imagenet64": FIncConfig(**{**IMAGENET64, "levels": 3}, **PAPER, steps=32),
    "compact_mnist": FIncConfig(**COMPACT_MNIST),
    "compact_cifar10": FIncConfig(**COMPACT_CIFAR10),
}
