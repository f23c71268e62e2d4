"""Bits per dimension as a metric that adds up over batches and processes."""

import torch
from torch import Tensor
from torchmetrics import Metric


class BitsPerDim(Metric):
    """Mean of per-image bits/dim; `standard_error` is that of the mean."""

    higher_is_better = False
    full_state_update = False

    total: Tensor
    total_of_squares: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        zero = torch.zeros((), dtype=torch.float64)
        for name in ("total", "total_of_squares", "count"):
            self.add_state(name, zero.clone(), dist_reduce_fx="sum")
        self.set_dtype(torch.float64)

    def update(self, bits_per_dim: Tensor) -> None:
        """Add the bits/dim of a batch of images, (B,)."""
        values = bits_per_dim.detach().double()
        self.total += values.sum()
        self.total_of_squares += values.square().sum()
        self.count += len(values)

    def compute(self) -> Tensor:
        return self.total / self.count

    def standard_error(self) -> Tensor:
        """Standard error of the mean over images."""
        variance = self.total_of_squares / self.count - self.compute().square()
        return (variance.clamp_min(0) / (self.count - 1).clamp_min(1)).sqrt()
