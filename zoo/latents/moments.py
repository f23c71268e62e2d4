"""Sums over latents that need not fit into memory: one batch of rows at a time."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

# Numbers of a batch: 64 MB of float64.
BATCH = 2**23


class Rows(Protocol):
    """Latents by row: a tensor (N, D), or a `LatentSet`."""

    def __len__(self) -> int:
        """Number of rows."""

    def __getitem__(self, index: slice, /) -> Tensor:
        """Rows (B, D) of a slice."""


def batches(rows: Rows, length: int) -> Iterator[tuple[slice, Tensor]]:
    """Batches (B, D) in float64, each with its place, of rows of this length."""
    size = max(1, BATCH // length)
    for start in range(0, len(rows), size):
        place = slice(start, min(start + size, len(rows)))
        yield place, rows[place].cpu().double()


def cross_covariance(rows: Rows, values: Tensor, length: int) -> Tensor:
    """Covariances (K, D) of centred values (N, K) with each number of the latents."""
    total = values.new_zeros(values.shape[1], length)
    for place, z in batches(rows, length):
        total += values[place].T @ z
    return total / len(rows)


def covariance(rows: Rows, length: int) -> Tensor:
    """Covariances (D, D) of the numbers of the latents among each other."""
    products = torch.zeros(length, length, dtype=torch.float64)
    total = torch.zeros(length, dtype=torch.float64)
    for _, z in batches(rows, length):
        products.addmm_(z.T, z)
        total += z.sum(0)
    mean = total / len(rows)
    return products.div_(len(rows)).addr_(mean, mean, alpha=-1)


def projections(rows: Rows, vectors: Tensor) -> Tensor:
    """Lengths (N, K) of the latents along unit vectors (K, D)."""
    return torch.cat([z @ vectors.T for _, z in batches(rows, vectors.shape[1])])
