"""Solve row after row, each with one matrix product, whatever the corners."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.solvers.operator import Operator, Size, inverses, tile_kernel


@dataclass(frozen=True)
class RowSolver:
    """Inverts in H steps of one matrix product for each vertical direction.

    With T the operator within a row and T_d that from the d-th row nearer to the corner, a row
    solves T x_h = y_h - sum_d T_d x_{h-d}; kept are the transposes of T^-1 and -T^-1 T_d. Rows
    are numbered over channels, then columns, so that groups are slices of them, and flips along
    the row are a renumbering of the matrices: no group is ever flipped.

    Attributes:
        inverse: (G, n, n), T^-1 transposed; n = C * W, vectors are rows.
        coupling: (G, up * n, n), effect of the up = kh - 1 rows before, uppermost first.
        bias: (G * C, 1), or None.
        runs: (first group, end, whether they go from the top down) of groups that go together.
    """

    inverse: Tensor
    coupling: Tensor
    bias: Tensor | None
    runs: tuple[tuple[int, int, bool], ...]

    @classmethod
    def prepare(cls, operator: Operator, size: Size, dtype: torch.dtype) -> "RowSolver":
        """Precompute the matrices in float64: their errors would enter every row."""
        rows = _row_matrices(operator, size)  # (G, up + 1, n, n)
        inverse = inverses(rows[:, 0])
        coupling = -(inverse[:, None] @ rows[:, 1:]).mT
        down = torch.tensor([c.startswith("top") for c in operator.corners], device=inverse.device)
        coupling = torch.where(down.view(-1, 1, 1, 1), coupling.flip(1), coupling).flatten(1, 2)
        bias = None if operator.bias is None else operator.bias.view(-1, 1).to(dtype)
        inverse = inverse.mT.to(dtype).contiguous()
        return cls(inverse, coupling.to(dtype).contiguous(), bias, _runs(down.tolist()))

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x, laid out channels last."""
        batch, channels, height, width = y.shape
        groups, n = self.inverse.shape[:2]
        up = self.coupling.shape[1] // n
        padded = y.new_empty(batch, up + height + up, channels, width)
        padded[:, up : up + height].copy_(y.transpose(1, 2))
        if self.bias is not None:
            padded.sub_(self.bias)
        rows = padded.view(-1, groups, n).transpose(0, 1)  # (G, B * (up + H + up), n)
        x = (rows @ self.inverse).view(groups, batch, -1, n)
        x[:, :, :up].zero_()
        x[:, :, up + height :].zero_()
        for step, (start, end, down) in itertools.product(range(height), self.runs):
            self._solve_row(x[start:end], self.coupling[start:end], step, down)
        solved = x[:, :, up : up + height].unflatten(-1, (-1, width))  # (G, B, H, C, W)
        maps = solved.permute(1, 0, 3, 2, 4).reshape(y.shape)
        # In two copies, first whole rows: one that mixes up all axes takes three times as long.
        return maps.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def _solve_row(x: Tensor, coupling: Tensor, step: int, down: bool) -> None:
        """Subtract from one row of x (g, B, up + H + up, n), in place, what precedes it."""
        up = coupling.shape[1] // coupling.shape[2]
        if not up:
            return
        h = up + step if down else -1 - up - step
        past = x[:, :, h - up : h] if down else x[:, :, h + 1 : h + 1 + up or None]
        x[:, :, h].baddbmm_(past.flatten(2), coupling)


def _row_matrices(operator: Operator, size: Size) -> Tensor:
    """The block-Toeplitz matrix of each kernel row, nearest first: (G, k'h, C * W, C * W)."""
    blocks = tile_kernel(operator.kernel, size, (1, size[1]))  # (G, k'h, 1, 1, W, C, 1, W, C)
    blocks = blocks[:, :, 0, 0, :, :, 0].permute(0, 1, 3, 2, 5, 4)  # (G, k'h, C, W, C, W)
    right = torch.tensor([c.endswith("right") for c in operator.corners], device=blocks.device)
    blocks = torch.where(right.view(-1, 1, 1, 1, 1, 1), blocks.flip(3, 5), blocks)
    return blocks.flatten(4, 5).flatten(2, 3)


def _runs(down: list[bool]) -> tuple[tuple[int, int, bool], ...]:
    groups = itertools.groupby(range(len(down)), key=down.__getitem__)
    spans = [(key, list(indices)) for key, indices in groups]
    return tuple((indices[0], indices[-1] + 1, key) for key, indices in spans)
