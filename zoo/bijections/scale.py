"""Scales that can neither vanish nor explode, so that no inverse divides by zero."""

import torch
from torch import Tensor


def bounded(raw: Tensor, bound: float) -> Tensor:
    """Smoothly limit a log-scale to (-bound, bound); the identity near 0."""
    return torch.tanh(raw / bound) * bound


def unbounded(log_scale: Tensor, bound: float) -> Tensor:
    """Inverse of `bounded`, for log-scales clipped to 95 % of the bound."""
    return torch.atanh((log_scale / bound).clamp(-0.95, 0.95)) * bound
