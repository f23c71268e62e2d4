"""Multiply by the inverse of the whole operator."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.solvers.operator import Operator, Size, product, spread
from zoo.solvers.row_scan import RowSolver


@dataclass(frozen=True)
class DenseSolver:
    """Inverts in one matrix product; for small maps, its matrices have (C * H * W)^2 numbers.

    The numbers of a map come in the order of pixels, then channels, if there is one group: maps
    laid out channels last are solved without a copy. Else channels come first.

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
        linear = Operator(operator.kernel, operator.corners)
        unit = torch.eye(n, dtype=torch.float64, device=operator.kernel.device)
        maps = _maps(unit.expand(groups, n, n), (n, groups * channels, *size))
        solved = RowSolver.prepare(linear, size, torch.float64).solve(maps)
        inverse = _vectors(solved, groups)
        bias = spread(operator.bias, groups, size[0] * size[1])
        shift = None if bias is None else -(bias @ inverse).to(dtype)
        return cls(inverse.to(dtype).contiguous(), shift)

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x, laid out channels last."""
        vectors = _vectors(y, len(self.inverse))
        return _maps(product(vectors, self.inverse, self.shift), y.shape)


def _vectors(y: Tensor, groups: int) -> Tensor:
    """Maps (B, G * C, H, W) as (G, B, n)."""
    pixels = y.permute(0, 2, 3, 1) if groups == 1 else y
    return pixels.reshape(y.shape[0], groups, -1).transpose(0, 1)


def _maps(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Inverse of `_vectors`, laid out channels last."""
    batch, channels, height, width = shape
    if len(x) == 1:
        return x.view(batch, height, width, channels).permute(0, 3, 1, 2)
    return x.transpose(0, 1).reshape(shape).contiguous(memory_format=torch.channels_last)
