"""Quad-coupling: four blocks of channels, each changed by all blocks before it."""

import torch
from torch import Tensor, nn

from zoo.bijections.base import Bijection
from zoo.bijections.coupling import shift_scale, unshift_scale
from zoo.bijections.nets import ConvNet
from zoo.errors import ConfigError


class QuadCoupling(Bijection):
    """y1 = x1; y_i = (x_i + shift_i(x_1 .. x_{i-1})) * scale_i(x_1 .. x_{i-1}) for i = 2, 3, 4.

    All three nets see inputs, so forward could run them in parallel; the inverse recovers the
    blocks in the order 1, 2, 3, 4, each from those before it. |log scale| < 2.

    Source: CInC Flow (Nagar et al., 2021), section 3.3.

    Args:
        channels: Number of channels C of the (B, C, H, W) input, a multiple of 4.
        hidden_channels: Width of each of the three nets.
        affine: Whether there are scales.
        actnorm: Use ActNorms in the nets.
    """

    def __init__(
        self, channels: int, hidden_channels: int, affine: bool = True, *, actnorm: bool = False
    ) -> None:
        super().__init__()
        if channels < 4 or channels % 4:
            raise ConfigError(f"QuadCoupling needs a multiple of 4 channels; got {channels}.")
        self.affine = affine
        block = channels // 4
        outputs = 2 * block if affine else block
        self.nets = nn.ModuleList(
            ConvNet(i * block, hidden_channels, outputs, actnorm=actnorm) for i in (1, 2, 3)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        blocks = x.chunk(4, dim=1)
        outputs, total = [blocks[0]], x.new_zeros(len(x))
        for i, net in enumerate(self.nets, start=1):
            raw = net(x[:, : i * blocks[0].shape[1]])
            y, log_det = shift_scale(blocks[i], raw, self.affine)
            outputs.append(y)
            total = total + log_det
        return torch.cat(outputs, dim=1), total

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        known, *blocks = y.chunk(4, dim=1)
        total = y.new_zeros(len(y))
        for net, block in zip(self.nets, blocks, strict=True):
            x, log_det = unshift_scale(block, net(known), self.affine)
            known = torch.cat([known, x], dim=1)
            total = total + log_det
        return known, total
