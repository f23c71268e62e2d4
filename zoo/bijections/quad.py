"""Quad-coupling: four blocks of channels, each changed by all blocks before it."""

import torch
from torch import Tensor

from zoo.bijections.base import Bijection
from zoo.bijections.bounds import FREE, Bounds
from zoo.bijections.coupling import shift_scale, unshift_scale
from zoo.bijections.quad_nets import SeparateNets, SharedNet
from zoo.bijections.stability import Limits
from zoo.errors import ConfigError


class QuadCoupling(Bijection):
    """y1 = x1; y_i = (x_i + shift_i(x_1 .. x_{i-1})) * scale_i(x_1 .. x_{i-1}) for i = 2, 3, 4.

    All three nets see inputs, so forward runs them in parallel; the inverse recovers the blocks in
    the order 1, 2, 3, 4, each from those before it.

    Source: CInC Flow (Nagar et al., 2021), section 3.3.

    Args:
        channels: Number of channels C of the (B, C, H, W) input, a multiple of 4.
        hidden_channels: Width of each of the three nets, or of all of them together if shared.
        affine: Whether there are scales.
        actnorm: Use ActNorms in the nets; not if shared.
        shared: Whether the nets share their features, see `SharedNet`.
        bounds: Limits of what the nets see, and of shifts and log-scales.
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int,
        affine: bool = True,
        *,
        actnorm: bool = False,
        shared: bool = False,
        bounds: Bounds = FREE,
    ) -> None:
        super().__init__()
        if channels < 4 or channels % 4:
            raise ConfigError(f"QuadCoupling needs a multiple of 4 channels; got {channels}.")
        if shared and (actnorm or hidden_channels < 4):
            raise ConfigError(
                "a shared net has 4 hidden channels or more, and no actnorm; else do not share it."
            )
        self.affine, self.block, self.bounds = affine, channels // 4, bounds
        roles = 2 if affine else 1
        self.nets = (
            SharedNet(self.block, hidden_channels, roles)
            if shared
            else SeparateNets(self.block, hidden_channels, roles, actnorm=actnorm)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.nets(self.bounds.seen(x[:, : 3 * self.block]))
        y, log_det = shift_scale(x[:, self.block :], raw, self.affine, self.bounds)
        return torch.cat([x[:, : self.block], y], dim=1), log_det

    def limits(self) -> Limits:
        return self.bounds.limits(affine=self.affine)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        known, *blocks = y.chunk(4, dim=1)
        total = y.new_zeros(y.shape[0])
        for net, block in zip(self.nets.stages(), blocks, strict=True):
            raw = net(self.bounds.seen(known))
            x, log_det = unshift_scale(block, raw, self.affine, self.bounds)
            known = torch.cat([known, x], dim=1)
            total = total + log_det
        return known, total
