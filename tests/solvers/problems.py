"""Kernels to solve."""

import torch
from torch import Tensor


def kernel_of(groups: int, channels: int, kernel_size: tuple[int, int], std: float = 0.2) -> Tensor:
    """A random float64 kernel (G, C, C, kh, kw) with a unit lower triangular last tap."""
    kernel = torch.randn(groups, channels, channels, *kernel_size, dtype=torch.float64) * std
    kernel[..., -1, -1] = kernel[..., -1, -1].tril(-1) + torch.eye(channels, dtype=torch.float64)
    return kernel
