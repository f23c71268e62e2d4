"""Per-channel affine map, initialised so that its first batch comes out standardised."""

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from zoo.bijections.cache import CachedBijection
from zoo.bijections.scale import bounded, unbounded

BOUND = 7.0
EPS = 1e-6


class ActNorm(CachedBijection):
    """y = (x + bias) * exp(log_scale) per channel; log_det = positions * sum(log_scale).

    The first batch seen in training mode sets bias and scale to give mean 0 and variance 1 per
    channel (over the batches of all ranks when distributed, so that all get the same); a saved flag
    keeps that from ever happening again. The flag is read once after each change of mode, not in
    every step.
    |log_scale| < 7.

    Source: Glow (Kingma & Dhariwal, 2018), section 3.1.

    Args:
        channels: Number of channels C of the (B, C, *size) input; the size may have no axis.
    """

    elementwise = True
    initialized: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.raw_log_scale = nn.Parameter(torch.zeros(channels, 1, 1))
        self.register_buffer("initialized", torch.zeros((), dtype=torch.bool))
        # The flag as last seen: a GPU must be waited for to ask it.
        self._seen = False

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # A compiled graph cannot branch on a tensor; training compiles only after this.
        if self.training and not torch.compiler.is_compiling() and not self._seen:
            if not self.initialized:
                self._initialize(x)
            self._seen = True
        return self._map(x, *self.cached("forward", self._affine))

    def train(self, mode: bool = True) -> "ActNorm":
        self._seen = False
        return super().train(mode)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._seen = False
        super()._load_from_state_dict(*args, **kwargs)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self._map(y, *self.cached("inverse", self._inverse_affine))

    def _affine(self) -> tuple[Tensor, Tensor, Tensor]:
        """Offset and scale (C,) of y = offset + x * scale, and the sum of log-scales."""
        log_scale = bounded(self.raw_log_scale.flatten(), BOUND)
        scale = log_scale.exp()
        return self.bias.flatten() * scale, scale, log_scale.sum()

    def _inverse_affine(self) -> tuple[Tensor, Tensor, Tensor]:
        log_scale = bounded(self.raw_log_scale.flatten(), BOUND)
        return -self.bias.flatten(), (-log_scale).exp(), -log_scale.sum()

    @staticmethod
    def _map(x: Tensor, offset: Tensor, scale: Tensor, log_scale: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1, *[1] * (x.dim() - 2))
        # One pass over x, where multiplying and then adding would be two.
        y = torch.addcmul(offset.view(shape), x, scale.view(shape))
        return y, (log_scale * math.prod(x.shape[2:])).expand(x.shape[0])

    @torch.no_grad()
    def _initialize(self, x: Tensor) -> None:
        x = x.double()
        axes = (0, *range(2, x.dim()))
        sums = torch.stack([torch.ones_like(x).sum(axes), x.sum(axes), x.square().sum(axes)])
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(sums)
        mean, square = sums[1:] / sums[0]
        std = (square - mean.square()).clamp_min(EPS).sqrt()
        self.bias.copy_(-mean.view_as(self.bias))
        self.raw_log_scale.copy_(unbounded(-std.log(), BOUND).view_as(self.bias))
        self.initialized.fill_(True)
