"""Couplings: change some channels by an affine map computed from others."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from zoo.bijections.base import Bijection
from zoo.bijections.bounds import FREE, Bounds
from zoo.bijections.nets import ConvNet, ZeroConv
from zoo.bijections.stability import Limits
from zoo.errors import ConfigError


def shift_scale(x: Tensor, raw: Tensor, affine: bool, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """(x + shift) * exp(log_scale), both bounded, and its log_det.

    Args:
        x: (B, C, H, W).
        raw: Output of a net: (B, 2C, H, W), shift then log-scale, or (B, C, H, W) if not affine.
        affine: Whether there is a scale.
        bounds: Limits of shift and log-scale.
    """
    if not affine:
        return x + bounds.limit_shift(raw), x.new_zeros(x.shape[0])
    shift, log_scale = _shift_and_log_scale(raw, bounds)
    return (x + shift) * log_scale.exp(), log_scale.sum((1, 2, 3))


def unshift_scale(y: Tensor, raw: Tensor, affine: bool, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """Inverse of `shift_scale`."""
    if not affine:
        return y - bounds.limit_shift(raw), y.new_zeros(y.shape[0])
    shift, log_scale = _shift_and_log_scale(raw, bounds)
    return y * (-log_scale).exp() - shift, -log_scale.sum((1, 2, 3))


def _shift_and_log_scale(raw: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
    shift, log_scale = raw.chunk(2, dim=1)
    return bounds.limit_shift(shift), bounds.limit_log_scale(log_scale)


class Coupling(Bijection):
    """y1 = x1; y2 = (x2 + shift(x1)) * scale(x1); log_det = sum(log scale).

    Args:
        channels: Number of channels C of the (B, C, H, W) input; the first ceil(C / 2) are kept.
        net: Maps the kept channels to shift and log-scale of the others.
        bounds: Limits of what the net sees, and of shift and log-scale.

    Attributes:
        affine: Whether there is a scale.
    """

    affine: ClassVar[bool] = True

    def __init__(self, channels: int, net: nn.Module, bounds: Bounds = FREE) -> None:
        super().__init__()
        self.sizes, self.net, self.bounds = halves(channels), net, bounds

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = x.split(self.sizes, dim=1)
        raw = self.net(self.bounds.seen(kept))
        changed, log_det = shift_scale(changed, raw, self.affine, self.bounds)
        return torch.cat([kept, changed], dim=1), log_det

    def limits(self) -> Limits:
        return self.bounds.limits(affine=self.affine)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = y.split(self.sizes, dim=1)
        raw = self.net(self.bounds.seen(kept))
        changed, log_det = unshift_scale(changed, raw, self.affine, self.bounds)
        return torch.cat([kept, changed], dim=1), log_det


class AffineCoupling(Coupling):
    """Affine coupling with a convolutional net.

    Source: RealNVP (Dinh et al., 2017), section 3.2, in the form of CInC Flow and Glow.

    Args:
        channels: Number of channels C of the (B, C, H, W) input.
        hidden_channels: Width of the net.
        actnorm: Use ActNorms in the net.
        bounds: Limits of what the net sees, and of shift and log-scale.
    """

    def __init__(
        self, channels: int, hidden_channels: int, *, actnorm: bool = False, bounds: Bounds = FREE
    ) -> None:
        kept, changed = halves(channels)
        outputs = 2 * changed if self.affine else changed
        super().__init__(channels, ConvNet(kept, hidden_channels, outputs, actnorm=actnorm), bounds)


class AdditiveCoupling(AffineCoupling):
    """Additive coupling with a convolutional net; log_det = 0.

    Arguments as for `AffineCoupling`. Source: NICE (Dinh et al., 2015), section 3.2.
    """

    affine = False


class Split(Coupling):
    """Whiten the second half of the channels by a Gaussian prior learned from the first half.

    y1 = x1; y2 = (x2 - mean(x1)) / std(x1), from one 3 x 3 convolution that starts at zero. The
    flow then takes y2 out as latents.

    Source: CInC Flow (Nagar et al., 2021) and Glow (Kingma & Dhariwal, 2018), section 3.3.

    Args:
        channels: Number of channels C of the (B, C, H, W) input.
        bounds: Limits of what the prior sees, and of -mean and -log std.
    """

    def __init__(self, channels: int, bounds: Bounds = FREE) -> None:
        kept, changed = halves(channels)
        super().__init__(channels, ZeroConv(kept, 2 * changed, scaled=True), bounds)


def halves(channels: int) -> tuple[int, int]:
    """Sizes of the kept and the changed part of a coupling."""
    if channels < 2:
        raise ConfigError(f"a coupling needs at least 2 channels; got {channels}.")
    return channels - channels // 2, channels // 2
