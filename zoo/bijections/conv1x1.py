"""Invertible 1x1 convolution in LU form."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.bijections.cache import CachedBijection
from zoo.bijections.scale import bounded, unbounded
from zoo.bijections.stability import Stability
from zoo.bijections.triangular import Arrangement, lower_triangular

BOUND = 4.0


class Conv1x1(CachedBijection):
    """Mix channels by W = P L (U + diag(s)); log_det = positions * sum(log|s|).

    L and U are unit-lower and strictly upper triangular, P a fixed permutation, and s keeps its
    sign with |log|s|| < 4, so W is invertible whatever training does. Starts near a random
    rotation.

    Source: Glow (Kingma & Dhariwal, 2018), section 3.2 and equation 10.

    Args:
        channels: Number of channels C of the (B, C, *size) input; the size may have no axis.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(channels, channels, dtype=torch.float64)).Q
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        rows, columns = torch.tril_indices(channels, channels, -1)
        self.lower = nn.Parameter(lower[rows, columns].float())
        self.upper = nn.Parameter(upper.T[rows, columns].float())
        self.raw_log_diagonal = nn.Parameter(unbounded(diagonal.abs().log(), BOUND).float())
        self.register_buffer("permutation", permutation.argmax(1))
        self.register_buffer("sign", diagonal.sign().float())
        triangle, line = self.lower.shape, self.sign.shape
        self._arrangement = Arrangement(_triangles, triangle, line, triangle, line)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        matrix, total = self.cached(("forward", x.dtype), lambda: self.forward_weights(x.dtype))
        return _mix(x, matrix), _log_det(x, total)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        matrix, total = self.cached(("inverse", y.dtype), lambda: self.inverse_weights(y.dtype))
        return _mix(y, matrix), _log_det(y, total)

    @torch.no_grad()
    def stability(self, size: tuple[int, int]) -> Stability:
        """Norm of the inverse and condition number; the size of the maps does not matter."""
        gain = float(_norm(self.inverse_weights(torch.float64)[0]))
        return Stability(gain, gain, gain * float(_norm(self.forward_weights(torch.float64)[0])))

    def proven_condition(self) -> float:
        return self.stability((1, 1)).condition

    def forward_weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """W, (C, C), of a dtype, and log|det W|."""
        lower, upper, log_diagonal = self._factors(dtype)
        return (lower @ upper)[self.permutation], log_diagonal.sum()

    def inverse_weights(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The inverse of W, (C, C), of a dtype, found in float64, and its log|det|."""
        lower, upper, log_diagonal = self._factors(torch.float64)
        identity = torch.eye(len(lower), dtype=torch.float64, device=lower.device)
        half = torch.linalg.solve_triangular(lower, identity, upper=False, unitriangular=True)
        inverse = torch.linalg.solve_triangular(upper, half, upper=True)
        return inverse[:, self.permutation].to(dtype), -log_diagonal.sum().to(dtype)

    def _factors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """L, U + diag(s) and log|s|."""
        log_diagonal = bounded(self.raw_log_diagonal.to(dtype), BOUND)
        diagonal = self.sign.to(dtype) * log_diagonal.exp()
        ones = torch.ones_like(diagonal)
        parts = self.lower.to(dtype), ones, self.upper.to(dtype), diagonal
        lower, upper = self._arrangement.make(*parts)
        return lower, upper, log_diagonal


def _triangles(lower: Tensor, ones: Tensor, upper: Tensor, diagonal: Tensor) -> Tensor:
    """L and U, (2, C, C)."""
    return torch.stack([lower_triangular(lower, ones), lower_triangular(upper, diagonal).mT])


def _norm(matrix: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrix, ord=torch.inf)


def _log_det(x: Tensor, total: Tensor) -> Tensor:
    return (total * math.prod(x.shape[2:])).expand(x.shape[0])


def _mix(x: Tensor, matrix: Tensor) -> Tensor:
    # Two to three times faster than conv2d for few channels, and free of copies in channels_last.
    return F.linear(x.movedim(1, -1), matrix).movedim(-1, 1)
