"""Solve row after row, each with one matrix product, whatever the corners."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.solvers.operator import Operator, Size, add_product, inverses, product, spread, tile_kernel


@dataclass(frozen=True)
class RowSolver:
    """Inverts in H steps of one matrix product for each vertical direction.

    With T the operator within a row and T_d that from the d-th row nearer to the corner, a row
    solves T x_h = y_h - sum_d T_d x_{h-d}; kept are the transposes of T^-1 and -T^-1 T_d. Flips
    along the row are a renumbering of the matrices: no group is ever flipped. The numbers of a
    row come in the order of columns, then channels, if there is one group: maps laid out channels
    last are solved without a copy. Else channels come first, so that groups are slices of rows.

    Attributes:
        inverse: (G, n, n), T^-1 transposed; n = C * W, vectors are rows.
        coupling: (G, up * n, n), effect of the up = kh - 1 rows before, uppermost first.
        shift: (G, 1, n), what the bias becomes; None for no bias.
        runs: (first group, end, whether they go from the top down) of groups that go together.
    """

    inverse: Tensor
    coupling: Tensor
    shift: Tensor | None
    runs: tuple[tuple[int, int, bool], ...]

    @classmethod
    def prepare(cls, operator: Operator, size: Size, dtype: torch.dtype) -> "RowSolver":
        """Precompute the matrices in float64: their errors would enter every row."""
        rows = _row_matrices(operator, size)  # (G, up + 1, n, n)
        inverse = inverses(rows[:, 0])
        coupling = -(inverse[:, None] @ rows[:, 1:]).mT
        from_top = [corner.startswith("top") for corner in operator.corners]
        down = torch.tensor(from_top, device=inverse.device)
        coupling = torch.where(down.view(-1, 1, 1, 1), coupling.flip(1), coupling).flatten(1, 2)
        bias = spread(operator.bias, len(inverse), size[1])
        shift = None if bias is None else -(bias @ inverse.mT).to(dtype)
        inverse, coupling = (m.to(dtype).contiguous() for m in (inverse.mT, coupling))
        return cls(inverse, coupling, shift, _runs(from_top))

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x, laid out channels last."""
        batch, _, height, width = y.shape
        groups, n = self.inverse.shape[:2]
        rows = y.permute(0, 2, 3, 1) if groups == 1 else y.transpose(1, 2)
        flat = rows.reshape(batch * height, groups, n).transpose(0, 1)
        x = product(flat, self.inverse, self.shift).view(groups, batch, height, n)
        # One group is a plain matrix: its products take a third less time.
        spans = [(0 if groups == 1 else slice(start, end), down) for start, end, down in self.runs]
        parts = [(x[span], self.coupling[span], down) for span, down in spans]
        for step, part in itertools.product(range(1, height), parts):
            _couple(step, *part)
        if groups == 1:
            return x.view(batch, height, width, -1).permute(0, 3, 1, 2)
        maps = x.unflatten(-1, (-1, width)).permute(1, 0, 3, 2, 4).reshape(y.shape)
        # In two copies, first whole rows: one that mixes up all axes takes three times as long.
        return maps.contiguous(memory_format=torch.channels_last)


def _couple(step: int, x: Tensor, coupling: Tensor, down: bool) -> None:
    """Subtract from one row of x (..., B, H, n), in place, what precedes it."""
    height, n = x.shape[-2:]
    reach = min(step, coupling.shape[-2] // n)
    if reach:
        h = step if down else height - 1 - step
        past = x[..., h - reach : h, :] if down else x[..., h + 1 : h + 1 + reach, :]
        nearest = coupling[..., -reach * n :, :] if down else coupling[..., : reach * n, :]
        add_product(x[..., h, :], past.flatten(-2), nearest)


def _row_matrices(operator: Operator, size: Size) -> Tensor:
    """The block-Toeplitz matrix of each kernel row, nearest first: (G, k'h, n, n)."""
    blocks = tile_kernel(operator.kernel, size, (1, size[1]))  # (G, k'h, 1, 1, W, C, 1, W, C)
    blocks = blocks[:, :, 0, 0, :, :, 0]
    right = torch.tensor([c.endswith("right") for c in operator.corners], device=blocks.device)
    blocks = torch.where(right.view(-1, 1, 1, 1, 1, 1), blocks.flip(2, 4), blocks)
    if len(blocks) > 1:
        blocks = blocks.transpose(2, 3).transpose(4, 5)
    return blocks.flatten(4, 5).flatten(2, 3)


def _runs(down: list[bool]) -> tuple[tuple[int, int, bool], ...]:
    groups = itertools.groupby(range(len(down)), key=down.__getitem__)
    spans = [(key, list(indices)) for key, indices in groups]
    return tuple((indices[0], indices[-1] + 1, key) for key, indices in spans)
