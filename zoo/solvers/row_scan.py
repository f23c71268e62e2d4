"""Solve row after row, each with one matrix product."""

from typing import NamedTuple

import torch
from torch import Tensor


class RowOperator(NamedTuple):
    """Weight-only part of the row scan for maps of one width; n = C * W, vectors are rows.

    Attributes:
        inverse: (G, n, n), transposed inverse of the operator within a row.
        coupling: (G, (kh - 1) * n, n), effect of the kh - 1 rows above, nearest row first.
    """

    inverse: Tensor
    coupling: Tensor


def row_operator(kernel: Tensor, width: int) -> RowOperator:
    """Precompute the row scan's matrices.

    With T the operator within a row and T_d that from the d-th row above, a row solves
    T x_h = y_h - sum_d T_d x_{h-d}; kept are the transposes of T^-1 and -T^-1 T_d.

    Args:
        kernel: (G, C, C, kh, kw), the last tap lower triangular.
        width: W of the maps to solve.
    """
    rows = _row_matrices(kernel, width)  # (kh, G, n, n), last row first
    identity = torch.eye(rows.shape[-1], dtype=rows.dtype, device=rows.device)
    inverse = torch.linalg.solve_triangular(rows[0], identity.expand_as(rows[0]), upper=False)
    coupling = (-inverse @ rows[1:]).mT  # (kh - 1, G, n, n)
    return RowOperator(inverse.mT.contiguous(), coupling.transpose(0, 1).flatten(1, 2))


def _row_matrices(kernel: Tensor, width: int) -> Tensor:
    """The block-Toeplitz matrix of each kernel row: (kh, G, W * C, W * C), last row first."""
    groups, channels, _, kh, kw = kernel.shape
    position = torch.arange(width, device=kernel.device)
    distance = position[:, None] - position  # output column minus input column
    inside = (distance >= 0) & (distance < kw)
    taps = kernel.flip(3, 4)[..., distance.clamp(0, kw - 1)] * inside  # (G, C, C, kh, W, W)
    return taps.permute(3, 0, 4, 1, 5, 2).reshape(kh, groups, width * channels, width * channels)


def row_scan(operator: RowOperator, y: Tensor) -> Tensor:
    """Invert the padded convolution in H steps of one matrix product each.

    Args:
        operator: From `row_operator`, for the width of y and of its dtype.
        y: (B, G, C, H, W).

    Returns:
        x of the shape of y.
    """
    batch, groups, channels, height, width = y.shape
    n = channels * width
    solved = y.permute(3, 1, 0, 4, 2).reshape(height, groups, batch, n) @ operator.inverse
    depth = operator.coupling.shape[1] // n
    rows: list[Tensor] = []
    for row in solved:
        above = rows[: -depth - 1 : -1] if depth else []
        if above:
            coupling = operator.coupling[:, : len(above) * n]
            row = torch.baddbmm(row, torch.cat(above, dim=-1), coupling)
        rows.append(row)
    x = torch.stack(rows).view(height, groups, batch, width, channels)
    return x.permute(2, 1, 4, 0, 3)
