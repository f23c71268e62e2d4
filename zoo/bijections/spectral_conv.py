"""Invertible convolution with one learned kernel per channel."""

import torch
from torch import Tensor, nn

from zoo.bijections.base import Bijection
from zoo.bijections.boundary import Size
from zoo.bijections.kernels import Kernel
from zoo.bijections.stability import Stability
from zoo.errors import ConfigError


class SpectralConv(Bijection):
    """Convolve each channel with its own kernel; a product in the frequency domain.

    log_det = sum of log|eigenvalue|, O(N log N) both ways. Starts as the identity.

    Args:
        channels: Number of channels C of the (B, C, N) or (B, C, H, W) input.
        kernel: Meaning of the learned coefficients.
    """

    def __init__(self, channels: int, kernel: Kernel) -> None:
        super().__init__()
        if channels < 1:
            raise ConfigError(f"channels must be at least 1; got {channels}.")
        self.kernel = kernel
        self.coefficients = nn.Parameter(torch.zeros(channels, kernel.coefficients))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.kernel.convolve(x, self.coefficients)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.kernel.deconvolve(y, self.coefficients)

    def proven_condition(self) -> float:
        return self.kernel.gain_bound**2

    def stability(self, size: Size) -> Stability:
        """Gain of the inverse (spectral norm) and condition number on maps of this size."""
        return self.kernel.stability(self.coefficients, size)
