"""Bits per dimension as a metric that adds up over batches and processes."""

import torch
from torch import Tensor
from torchmetrics import Metric


class BitsPerDim(Metric):
    """Mean of per-image bits/dim, in float64."""

    higher_is_better = False
    full_state_update = False

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        zero = torch.zeros((), dtype=torch.float64)
        for name in ("total", "count"):
            self.add_state(name, zero.clone(), dist_reduce_fx="sum")
        self.set_dtype(torch.float64)

    def update(self, bits_per_dim: Tensor) -> None:
        """Add the bits/dim of a batch of images, (B,)."""
        values = bits_per_dim.detach().double()
        self.total += values.sum()
        self.count += len(values)

    def compute(self) -> Tensor:
        return self.total / self.count
