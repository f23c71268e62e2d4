"""Bijections applied one after the other."""

import itertools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from zoo.bijections.base import Bijection
from zoo.bijections.recompute import CHOICES, Activations, run, store


class Chain(Bijection):
    """Bijections applied one after the other; log-dets are added in float64.

    Args:
        bijections: Applied first to last in forward, last to first in inverse; of chains among
            them, their parts.

    Attributes:
        activations: Tensors that the backward pass keeps, see `zoo.bijections.recompute`.
    """

    bijections: Sequence[Bijection]
    activations: Activations = "store"

    def __init__(self, bijections: Iterable[Bijection]) -> None:
        super().__init__()
        parts = (part.bijections if isinstance(part, Chain) else [part] for part in bijections)
        flat = nn.ModuleList(itertools.chain.from_iterable(parts))
        self.bijections = flat  # type: ignore[assignment]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        apply = CHOICES[self.activations] if torch.is_grad_enabled() else store
        return apply(self.bijections, x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return run(reversed(self.bijections), y, lambda bijection, y: bijection.inverse(y))
