"""Solve tile after tile along anti-diagonals, with a few matrix products each and no copies.

Large maps are solved in bands of rows, from each group's corner on: a band begins with what the one
before it ended with.
"""

from collections.abc import Iterator, Sequence
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
    flips,
    inverses,
    product,
    tile_kernel,
)

# Numbers of the maps that a band may have: a solve holds three times as many.
NUMBERS = 2**23


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
        windows: Weights of the tiles before a tile, one (G, K_i, n) for each row of
            tiles, at distance 0, 1, ...: the K_i numbers that end with the tile in its column
            (in row 0: just before it).
        reach: Number of those numbers that lie in columns before it.
        shift: (G, 1, n), what the bias becomes in a tile; None for no bias.
    """

    corners: tuple[Corner, ...]
    tile: Size
    inverse: Tensor
    windows: tuple[Tensor, ...]
    reach: int
    shift: Tensor | None

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
        shift = None
        if operator.bias is not None:
            bias = operator.bias.view(groups, 1, channels).repeat(1, 1, n // channels)
            shift = -(bias @ inverse.mT).to(dtype)
        matrices = [matrix.to(dtype).contiguous() for matrix in (inverse.mT, *windows)]
        return cls(operator.corners, tile, matrices[0], tuple(matrices[1:]), reach, shift)

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x, laid out channels last."""
        rows = max(1, NUMBERS // max(1, y[:, :, :1].numel() * self.tile[0])) * self.tile[0]
        out = torch.empty_like(y, memory_format=torch.channels_last)
        before: Tensor | None = None
        for start in range(0, y.shape[2], rows):
            parts, solved = (_rows(m, self.corners, start, start + rows) for m in (y, out))
            before = self._solve_band(parts, solved, before)
        return out

    def _solve_band(
        self, parts: Sequence[Tensor], out: Sequence[Tensor], before: Tensor | None
    ) -> Tensor | None:
        """Write the solution for each group's maps into out; returns what the next band sees."""
        n = self.inverse.shape[-1]
        grid = _Grid.of(parts[0], self.tile, n, len(self.windows) - 1, -(-self.reach // n))
        x = product(grid.fill(parts, self.corners), self.inverse, self.shift)
        grid.set_margins(x, before)
        self._sweep(grid, x, first=before is None)
        grid.read(x, self.corners, out)
        return x[:, -grid.above :].clone() if grid.above else None

    def _sweep(self, grid: "_Grid", x: Tensor, *, first: bool) -> None:
        """Subtract from the tiles of each anti-diagonal, in place, what precedes them."""
        windows = [
            (self.reach + row * grid.pitch, window)
            for row, window in enumerate(self.windows)
            if window.shape[1]
        ]
        if len(x) == 1:  # products of one group take a third less time as plain matrices
            x, windows = x[0], [(back, window[0]) for back, window in windows]
        for start, count in grid.diagonals(1 if first else 0):
            tiles = grid.matrix(x, start, count, grid.n)
            for back, window in windows:
                add_product(tiles, grid.matrix(x, start - back, count, window.shape[-2]), window)


@dataclass(frozen=True)
class _Grid:
    """Places of the tiles of a batch of maps in a buffer (G, length, n).

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
        spare: Rows and columns of pixels by which the tiles exceed the maps.
    """

    batch: int
    rows: int
    columns: int
    up: int
    left: int
    tile: Size
    n: int
    spare: Size

    @classmethod
    def of(cls, y: Tensor, tile: Size, n: int, up: int, left: int) -> "_Grid":
        """For maps (B, C, H, W) of each group."""
        (bh, bw), (height, width) = tile, y.shape[2:]
        rows, columns = -(-height // bh), -(-width // bw)
        return cls(len(y), rows, columns, up, left, tile, n, (-height % bh, -width % bw))

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
    def above(self) -> int:
        """Tiles in the rows of zeros above."""
        return self.up * self.pitch // self.n

    @cached_property
    def first(self) -> int:
        """Place of the first tile."""
        return self.up * self.pitch + self.left * self.n

    def fill(self, parts: Sequence[Tensor], corners: tuple[Corner, ...]) -> Tensor:
        """A buffer with each group's maps in it, in top-left order; margins are arbitrary."""
        buffer = parts[0].new_empty(len(corners), self.length // self.n, self.n)
        for pixels, part, corner in zip(self._pixels(buffer), parts, corners, strict=True):
            if any(self.spare):
                part = F.pad(part, self._spare_sides(corner))
            pixels.copy_(_flip(self._cut(part), corner))
        return buffer

    def read(self, buffer: Tensor, corners: tuple[Corner, ...], parts: Sequence[Tensor]) -> None:
        """Write the maps in a buffer to each group's maps."""
        for pixels, part, corner in zip(self._pixels(buffer), parts, corners, strict=True):
            whole = part
            if any(self.spare):
                (bh, bw), (batch, channels) = self.tile, part.shape[:2]
                shape = (batch, bh * self.rows, bw * self.columns, channels)
                whole = buffer.new_empty(shape).permute(0, 3, 1, 2)
            self._cut(whole).copy_(_flip(pixels, corner))
            if whole is not part:
                part.copy_(F.pad(whole, [-side for side in self._spare_sides(corner)]))

    def set_margins(self, buffer: Tensor, before: Tensor | None) -> None:
        """Set what the tiles at the upper and left edge see beyond it: zeros, or a band before."""
        above = buffer[:, : self.above]
        if before is None:
            above.zero_()
        else:
            above.copy_(before)
        shape = (len(buffer), self.rows, self.batch, self.left * self.n)
        strides = (self.length, self.pitch, self.image, 1)
        buffer.as_strided(shape, strides, self.up * self.pitch).zero_()

    def diagonals(self, first: int) -> Iterator[tuple[int, int]]:
        """Start and number of the tiles of each anti-diagonal, from the given one on."""
        for index in range(first, self.rows + self.columns - 1):
            top, bottom = max(0, index - self.columns + 1), min(index, self.rows - 1)
            start = self.first + top * (self.pitch - self.n) + index * self.n
            yield start, (bottom - top + 1) * self.batch

    def matrix(self, buffer: Tensor, start: int, count: int, length: int) -> Tensor:
        """A view (G, count, length), or (count, length) of one group's buffer: one row a tile."""
        if buffer.dim() == 2:
            return buffer.as_strided((count, length), (self.image, 1), start)
        strides = (self.length, self.image, 1)
        return buffer.as_strided((len(buffer), count, length), strides, start)

    def _spare_sides(self, corner: Corner) -> tuple[int, int, int, int]:
        """Left, right, top and bottom padding of a map: away from the corner."""
        (down, across), axes = self.spare, flips(corner)
        sideways = (across, 0) if -1 in axes else (0, across)
        return (*sideways, down, 0) if -2 in axes else (*sideways, 0, down)

    def _cut(self, y: Tensor) -> Tensor:
        """(B, C, bh * rows, bw * columns) -> (rows, bh, B, columns, bw, C)."""
        cut = y.unflatten(3, (-1, self.tile[1])).unflatten(2, (-1, self.tile[0]))
        return cut.permute(2, 3, 0, 4, 5, 1)

    def _pixels(self, buffer: Tensor) -> Tensor:
        """The tiles of a buffer as (G, rows, bh, B, columns, bw, C)."""
        (bh, bw), channels = self.tile, self.n // (self.tile[0] * self.tile[1])
        shape = (len(buffer), self.rows, bh, self.batch, self.columns, bw, channels)
        strides = (self.length, self.pitch, bw * channels, self.image, self.n, channels, 1)
        return buffer.as_strided(shape, strides, self.first)


def _rows(maps: Tensor, corners: tuple[Corner, ...], start: int, stop: int) -> list[Tensor]:
    """Rows start to stop of each group's maps, counted from its corner."""
    height = maps.shape[2]
    return [
        part[:, :, start:stop]
        if corner.startswith("top")
        else part[:, :, max(0, height - stop) : height - start]
        for part, corner in zip(maps.chunk(len(corners), dim=1), corners, strict=True)
    ]


def _flip(pixels: Tensor, corner: Corner) -> Tensor:
    """Between top-left order and that from a corner, of (rows, bh, B, columns, bw, C)."""
    axes = {-2: (0, 1), -1: (3, 4)}
    dims = [dim for axis in flips(corner) for dim in axes[axis]]
    return pixels.flip(dims) if dims else pixels
