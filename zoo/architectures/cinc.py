"""CInC Flow: actnorm, invertible 3 x 3 convolution, affine or quad coupling."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import STABLE, compact, standard
from zoo.architectures.registry import Paper, register_architecture
from zoo.bijections import ActNorm, AffineCoupling, Bijection, PaddedConv2d, QuadCoupling, Split
from zoo.config import PaddedConvConfig
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class CIncConfig(PaddedConvConfig):
    """Configuration of CInC Flow."""


@dataclass(frozen=True, kw_only=True)
class CIncQuadConfig(CIncConfig):
    """Configuration of CInC Flow with Quad-coupling.

    Attributes:
        shared_net: Whether the three nets of a coupling are one that shares features, of which
            hidden_channels is the whole width, instead of three of that width.
    """

    shared_net: bool = False


PRESETS = standard(CIncConfig, STABLE)
# The compact sizes have one net for three: as wide as makes as many parameters as Glow has, and 8 %
# fewer for Fashion-MNIST.
QUAD_PRESETS = {
    **standard(CIncQuadConfig),
    **compact(partial(CIncQuadConfig, shared_net=True), widths=(68, 64, 120, 93), stable=STABLE),
}
PAPER = Paper(
    "CInC Flow (Nagar, Dufraisse & Varma, 2021)",
    "https://arxiv.org/abs/2107.01358",
    """@article{cinc,
  title={CInC Flow: Characterizable Invertible 3x3 Convolution},
  author={Nagar, Sandeep and Dufraisse, Marius and Varma, Girish},
  journal={arXiv:2107.01358}, year={2021}
}""",
)


@register_architecture("cinc", presets=PRESETS, paper=PAPER)
def cinc(config: CIncConfig) -> Flow:
    """Build CInC Flow with affine coupling (Nagar et al., 2021, figure 3)."""
    return _cinc(config, AffineCoupling)


@register_architecture("cinc_quad", presets=QUAD_PRESETS, paper=PAPER)
def cinc_quad(config: CIncQuadConfig) -> Flow:
    """Build CInC Flow with Quad-coupling (Nagar et al., 2021, section 3.3)."""
    return _cinc(config, partial(QuadCoupling, shared=config.shared_net))


def _cinc(config: CIncConfig, coupling: Callable[..., Bijection]) -> Flow:
    def step(channels: int) -> tuple[Bijection, ...]:
        convolution = PaddedConv2d(channels, **config.options)
        last = coupling(channels, config.hidden_channels, **config.coupling)
        return ActNorm(channels), convolution, last

    return multiscale(config, step, partial(Split, bounds=config.bounds))
