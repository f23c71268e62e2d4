"""CInC Flow: actnorm, invertible 3 x 3 convolution, affine or quad coupling."""

from dataclasses import dataclass

from zoo.architectures.config import PaddedConvConfig
from zoo.architectures.multiscale import multiscale
from zoo.architectures.presets import standard
from zoo.bijections import ActNorm, AffineCoupling, Bijection, PaddedConv2d, QuadCoupling, Split
from zoo.flow import Flow


@dataclass(frozen=True, kw_only=True)
class CIncConfig(PaddedConvConfig):
    """Configuration of CInC Flow."""


@dataclass(frozen=True, kw_only=True)
class CIncQuadConfig(CIncConfig):
    """Configuration of CInC Flow with Quad-coupling; the fields are the same."""


def cinc(config: CIncConfig) -> Flow:
    """Build CInC Flow with affine coupling (Nagar et al., 2021, figure 3)."""
    return _cinc(config, AffineCoupling)


def cinc_quad(config: CIncQuadConfig) -> Flow:
    """Build CInC Flow with Quad-coupling (Nagar et al., 2021, section 3.3)."""
    return _cinc(config, QuadCoupling)


def _cinc(config: CIncConfig, coupling: type[AffineCoupling] | type[QuadCoupling]) -> Flow:
    def step(channels: int) -> tuple[Bijection, ...]:
        convolution = PaddedConv2d(channels, **config.options)
        net = coupling(channels, config.hidden_channels, actnorm=config.net_actnorm)
        return ActNorm(channels), convolution, net

    return multiscale(config, step, Split)


PAPER = {"hidden_channels": 512, "net_actnorm": True, "preprocessing": "center"}

PRESETS = standard(CIncConfig, PAPER)
# Three nets instead of one: narrower ones in the compact sizes keep the parameters comparable.
QUAD_PRESETS = standard(CIncQuadConfig, PAPER, compact_widths=(36, 72))
