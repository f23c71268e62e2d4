"""The distribution of latents by class."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.bijections.scale import bounded
from zoo.flow.normal import log_normal

BOUND = 7.0
# Stands for a label: asks for a result of each class.
Each = Literal["each"]


class ClassPrior(nn.Module):
    """A Gaussian for each class and channel of the last level; finer levels are standard normal.

    |log_scale| < 7. At the start every class is standard normal, too.

    Args:
        classes: Number of classes K.
        channels: Number of channels C of the last level.
        levels: Number of levels L; the last one has D / 2^(L - 1) of D latents.
    """

    def __init__(self, classes: int, channels: int, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.mean = nn.Parameter(torch.zeros(classes, channels))
        self.raw_log_scale = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, z: Tensor) -> Tensor:
        """Log-density in nats of latents (B, D) under each class, (B, K) float64."""
        finer, last = self._parts(z)
        mean, log_scale = self.mean.double(), self._log_scale().double()
        precision, last = (-2 * log_scale).exp(), last.double()
        # Sum of ((z - mean) / scale)^2 over positions and channels, multiplied out.
        squares = last.square().sum(2) @ precision.T - 2 * last.sum(2) @ (precision * mean).T
        constants = precision * mean.square() + 2 * log_scale + math.log(2 * math.pi)
        of_class = -0.5 * (squares + last.shape[2] * constants.sum(1))
        return log_normal(finer)[:, None] + of_class

    def latents(self, noise: Tensor, label: Tensor) -> Tensor:
        """Latents (B, D) of classes (B,), from standard normal noise (B, D)."""
        finer, last = self._parts(noise)
        scale = self._log_scale().exp()[label, :, None]
        return torch.cat([finer, (self.mean[label, :, None] + scale * last).flatten(1)], dim=1)

    def _log_scale(self) -> Tensor:
        return bounded(self.raw_log_scale, BOUND)

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of the finer levels, and of the last one as (B, C, positions)."""
        length = z.shape[1] >> (self.levels - 1)
        finer, last = z.split([z.shape[1] - length, length], dim=1)
        return finer, last.unflatten(1, (self.mean.shape[1], -1))


def of_label(log_probs: Tensor, label: Tensor | None) -> Tensor:
    """Log-densities (B,) of each image's class (B,), or of all together, from (B, K)."""
    if label is None:
        return log_probs.logsumexp(1) - math.log(log_probs.shape[1])
    return log_probs.gather(1, label[:, None])[:, 0]
