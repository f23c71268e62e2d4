"""Likelihoods as metrics that add up over batches and processes."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


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


class LogLikelihood(Metric):
    """Mean of log-likelihoods and its standard error, in float64."""

    higher_is_better = True
    full_state_update = False

    values: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("values", [], dist_reduce_fx="cat")

    def update(self, log_prob: Tensor) -> None:
        """Add the log-likelihoods of a batch, (B,)."""
        self.values.append(log_prob.detach().double())

    def compute(self) -> tuple[Tensor, Tensor]:
        values = dim_zero_cat(self.values)
        return values.mean(), values.std() / len(values) ** 0.5
