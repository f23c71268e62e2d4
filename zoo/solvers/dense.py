"""Multiply by the inverse of the whole operator."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.solvers.operator import Operator, Size
from zoo.solvers.row_scan import RowSolver


@dataclass(frozen=True)
class DenseSolver:
    """Inverts in one matrix product; for small maps, its matrices have (C * H * W)^2 numbers.

    Attributes:
        inverse: (G, n, n), transposed inverse of the operator of a group; n = C * H * W.
        shift: (G, 1, n), what the bias becomes; None for no bias.
    """

    inverse: Tensor
    shift: Tensor | None

    @classmethod
    def prepare(cls, operator: Operator, size: Size, dtype: torch.dtype) -> "DenseSolver":
        """Invert the unit maps, in float64."""
        groups, channels = operator.kernel.shape[:2]
        n = channels * size[0] * size[1]
        unit = torch.eye(n, dtype=torch.float64, device=operator.kernel.device)
        maps = unit.view(n, channels, *size).repeat(1, groups, 1, 1)
        linear = Operator(operator.kernel, operator.corners)
        solved = RowSolver.prepare(linear, size, torch.float64).solve(maps)
        inverse = solved.reshape(n, groups, n).transpose(0, 1)
        shift = None
        if operator.bias is not None:
            bias = operator.bias.view(groups, channels).repeat_interleave(size[0] * size[1], 1)
            shift = -(bias[:, None] @ inverse).to(dtype)
        return cls(inverse.to(dtype).contiguous(), shift)

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x, laid out channels last."""
        rows = y.reshape(len(y), len(self.inverse), -1).transpose(0, 1)  # (G, B, n)
        x = torch.bmm(rows, self.inverse)
        if self.shift is not None:
            x += self.shift
        return x.transpose(0, 1).reshape(y.shape).contiguous(memory_format=torch.channels_last)
