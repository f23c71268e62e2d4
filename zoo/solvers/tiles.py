"""Solve tile after tile along anti-diagonals, with a few matrix products each and no copies."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.solvers.operator import (
    Corner,
    Operator,
    Size,
    add_product,
    group,
    inverses,
    tile_kernel,
    ungroup,
)


@dataclass(frozen=True)
class TileSolver:
    """Inverts in ceil(H / bh) + ceil(W / bw) - 1 steps.

    A tile of bh x bw pixels is a pixel of bh * bw * C channels, and on such pixels the operator
    is again a padded convolution, of a smaller kernel; those of one anti-diagonal are
    independent. Tiles of one pixel are the papers' wavefront; larger ones trade arithmetic for
    fewer and larger products.

    Attributes:
        corners: The corner of each group.
        tile: (bh, bw).
        inverse: (G, n, n), transposed inverse of a tile's own block; n = bh * bw * C.
        windows: What is added to a tile for those before it, one (G, K_i, n) for each row of
            tiles, at distance 0, 1, ...: the K_i numbers that end with the tile in its column
            (in row 0: just before it).
        reach: How many of those numbers lie in columns before it.
        bias: (G, 1, n), repeated over the pixels of a tile, or None.
    """

    corners: tuple[Corner, ...]
    tile: Size
    inverse: Tensor
    windows: tuple[Tensor, ...]
    reach: int
    bias: Tensor | None

    @classmethod
    def prepare(
        cls, operator: Operator, size: Size, dtype: torch.dtype, tile: Size
    ) -> "TileSolver":
        """Precompute the matrices in float64: their errors would enter every tile."""
        groups, channels = operator.kernel.shape[:2]
        n = tile[0] * tile[1] * channels
        blocks = tile_kernel(operator.kernel, size, tile)  # (G, k'h, k'w, bh, bw, C, bh, bw, C)
        blocks = blocks.flatten(6, 8).flatten(3, 5)
        inverse = inverses(blocks[:, 0, 0])
        blocks = -(inverse[:, None, None] @ blocks).mT  # (G, k'h, k'w, n, n)
        reach = (blocks.shape[2] - 1) * n
        if tile[0] == 1:  # the columns of a row of pixels that the kernel does not reach
            reach = min(reach, (operator.kernel.shape[-1] - 1) * channels)
        flat = blocks.flip(2).flatten(2, 3)[:, :, -reach - n :]  # (G, k'h, reach + n, n)
        windows = [flat[:, 0, :-n], *flat[:, 1:].unbind(1)]
        matrices = [matrix.to(dtype).contiguous() for matrix in (inverse.mT, *windows)]
        bias = None
        if operator.bias is not None:
            bias = operator.bias.view(groups, 1, channels).repeat(1, 1, n // channels).to(dtype)
        return cls(operator.corners, tile, matrices[0], tuple(matrices[1:]), reach, bias)

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x, laid out channels last if there is one group."""
        grouped = group(y, self.corners)
        n = self.inverse.shape[-1]
        grid = _Grid.of(grouped, self.tile, up=len(self.windows) - 1, left=-(-self.reach // n))
        x = grid.fill(grouped, self.bias) @ self.inverse
        grid.clear_margins(x)
        self._sweep(grid, x)
        return ungroup(grid.read(x)[..., : y.shape[2], : y.shape[3]], self.corners)

    def _sweep(self, grid: "_Grid", x: Tensor) -> None:
        """Subtract from the tiles of each anti-diagonal, in place, what precedes them."""
        windows = [(row, window) for row, window in enumerate(self.windows) if window.shape[1]]
        if len(x) == 1:  # products of one group take a third less time as plain matrices
            x, windows = x[0], [(row, window[0]) for row, window in windows]
        for index in range(grid.rows + grid.columns - 1):
            tiles = grid.diagonal(x, index, grid.n)
            for row, window in windows:
                past = grid.diagonal(x, index, window.shape[-2], row, self.reach)
                add_product(tiles, past, window)


@dataclass(frozen=True)
class _Grid:
    """Where the tiles of a batch of maps lie in a buffer (G, length, n).

    They lie row of tiles by row of tiles, then image by image, then column by column, with zeros
    above and to the left. Between rows one tile is spare: by that shift the tiles of an
    anti-diagonal lie at equal distances, and so do their neighbours: both are plain matrices.

    Attributes:
        batch: Number of images B.
        rows: Rows of tiles.
        columns: Columns of tiles.
        up: Rows of zeros above.
        left: Columns of zeros to the left.
        tile: (bh, bw).
        n: Numbers in a tile.
    """

    batch: int
    rows: int
    columns: int
    up: int
    left: int
    tile: Size
    n: int

    @classmethod
    def of(cls, y: Tensor, tile: Size, up: int, left: int) -> "_Grid":
        """For maps (B, G, C, H, W)."""
        batch, _, channels, height, width = y.shape
        (bh, bw) = tile
        return cls(batch, -(-height // bh), -(-width // bw), up, left, tile, bh * bw * channels)

    @cached_property
    def image(self) -> int:
        """Numbers in a row of tiles of one image."""
        return (self.left + self.columns) * self.n

    @cached_property
    def pitch(self) -> int:
        """Numbers in a row of tiles of all images, the spare tile included."""
        return self.batch * self.image + self.n

    @cached_property
    def length(self) -> int:
        """Numbers in all rows of tiles, those of zeros included."""
        return (self.up + self.rows) * self.pitch

    @cached_property
    def first(self) -> int:
        """Where the first tile is."""
        return self.up * self.pitch + self.left * self.n

    def fill(self, y: Tensor, bias: Tensor | None) -> Tensor:
        """A buffer with the maps y - bias in it, (B, G, C, H, W); its margins are arbitrary."""
        (bh, bw), (height, width) = self.tile, y.shape[3:]
        if height % bh or width % bw:
            y = F.pad(y, (0, -width % bw, 0, -height % bh))
        buffer = y.new_empty(y.shape[1], self.length // self.n, self.n)
        self._pixels(buffer).copy_(self._cut(y))
        return buffer if bias is None else buffer.sub_(bias)

    def read(self, buffer: Tensor) -> Tensor:
        """The maps in a buffer, (B, G, C, bh * rows, bw * columns)."""
        (bh, bw), groups = self.tile, len(buffer)
        shape = (self.batch, bh * self.rows, bw * self.columns, groups, self.n // (bh * bw))
        y = buffer.new_empty(shape).permute(0, 3, 4, 1, 2)
        self._cut(y).copy_(self._pixels(buffer))
        return y

    def clear_margins(self, buffer: Tensor) -> None:
        """Zero what the tiles at the upper and left edge see beyond it."""
        buffer[:, : self.up * self.pitch // self.n].zero_()
        shape = (len(buffer), self.rows, self.batch, self.left * self.n)
        strides = (self.length, self.pitch, self.image, 1)
        buffer.as_strided(shape, strides, self.up * self.pitch).zero_()

    def diagonal(
        self, buffer: Tensor, index: int, length: int, row: int = 0, reach: int = 0
    ) -> Tensor:
        """As matrices (G, tiles, length): numbers at the tiles of an anti-diagonal, as a view.

        Args:
            buffer: The buffer, or that of one group, which gives one matrix.
            index: Of the anti-diagonal.
            length: How many numbers for each tile.
            row: How many rows of tiles above it they are.
            reach: How many numbers before it they begin.
        """
        top, bottom = max(0, index - self.columns + 1), min(index, self.rows - 1)
        start = self.first + top * (self.pitch - self.n) + index * self.n - row * self.pitch
        shape = ((bottom - top + 1) * self.batch, length)
        if buffer.dim() == 2:
            return buffer.as_strided(shape, (self.image, 1), start - reach)
        strides = (self.length, self.image, 1)
        return buffer.as_strided((len(buffer), *shape), strides, start - reach)

    def _cut(self, y: Tensor) -> Tensor:
        """(B, G, C, bh * rows, bw * columns) -> (G, rows, bh, B, columns, bw, C)."""
        cut = y.unflatten(4, (-1, self.tile[1])).unflatten(3, (-1, self.tile[0]))
        return cut.permute(1, 3, 4, 0, 5, 6, 2)

    def _pixels(self, buffer: Tensor) -> Tensor:
        """The tiles of a buffer as (G, rows, bh, B, columns, bw, C)."""
        (bh, bw), channels = self.tile, self.n // (self.tile[0] * self.tile[1])
        shape = (len(buffer), self.rows, bh, self.batch, self.columns, bw, channels)
        strides = (self.length, self.pitch, bw * channels, self.image, self.n, channels, 1)
        return buffer.as_strided(shape, strides, self.first)
