"""Invertible k x k convolution: zero-padded towards one corner, hence triangular."""

import math
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.bijections.bands import in_bands
from zoo.bijections.cache import CachedBijection, WeightCache, in_graph
from zoo.bijections.scale import bounded
from zoo.bijections.stability import Stability
from zoo.bijections.triangular import Arrangement, lower_triangular
from zoo.errors import ConfigError
from zoo.solvers import (
    CORNERS,
    Corner,
    Method,
    Operator,
    Shape,
    Size,
    Solver,
    choose,
    impulse_response,
    prepare,
    triangular_solve,
)
from zoo.solvers.launches import kind_of_device
from zoo.solvers.operator import flips, inverses

Diagonal = Literal["free", "unit"]

BOUND = 3.0


class CornerConv(CachedBijection):
    """Padded convolutions of equal groups of channels, one group for each given corner.

    A group's output pixel is a linear function of the pixels between it and the corner, at
    distance < k. In raster order from that corner the map is triangular, with the tap of the
    pixel itself on its diagonal; that tap A0 is triangular over channels with diagonal
    exp(log_diagonal), |log_diagonal| < 3, so log_det = H * W * sum(log_diagonal).

    Only free numbers are parameters, nothing is masked: k*k*n*n - n(n-1)/2 for n channels.

    Args:
        channels: Number of channels C of the (B, C, H, W) input, a multiple of the groups.
        kernel_size: k, or (kh, kw).
        corners: The corner that each group of channels is padded towards.
        diagonal: "free" learns the diagonal of the last tap, "unit" fixes it to 1 (log_det = 0).
        bias: Whether to add a bias per channel.
        init_std: Standard deviation of the taps at the start.
        gain_max: Keep the gain bound g below this, whatever training does. The taps are then
            A0 N, where the parameters hold N before its rows are shrunk: N / sqrt(1 + (g /
            gain_max)^2), with g their absolute sums, and start at about a fifth of the bound.
            None leaves the taps free.
        method: Method of the inverse, see `zoo.solvers`; "auto" is the fastest.
        invert: Solve in forward and convolve in inverse, so that sampling costs a convolution
            (Inverse-Flow, Nagar & Varma, 2024).
        upper: Whether A0 is upper triangular instead of lower.

    Attributes:
        solver: Solver for weights that stay as they are; by default prepared where needed.
    """

    solver: Solver | None = None

    def __init__(
        self,
        channels: int,
        kernel_size: int | tuple[int, int],
        corners: tuple[Corner, ...],
        *,
        diagonal: Diagonal,
        bias: bool,
        init_std: float,
        gain_max: float | None,
        method: Method,
        invert: bool,
        upper: bool = False,
    ) -> None:
        super().__init__()
        kh, kw = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        _check_options(channels, (kh, kw), corners, diagonal, method, gain_max)
        groups, n = len(corners), channels // len(corners)
        self.channels, self.kernel_size, self.corners = channels, (kh, kw), corners
        self.gain_max, self.method, self.invert, self.upper = gain_max, method, invert, upper
        if gain_max is not None:  # far below the bound, or noise would take up what it leaves
            init_std = min(init_std, gain_max / (4 * n * max(1, kh * kw - 1)))
        self.taps = nn.Parameter(torch.randn(groups, n, n, kh * kw - 1) * init_std)
        self.lower = nn.Parameter(torch.randn(groups, n * (n - 1) // 2) * init_std)
        free = diagonal == "free"
        self.raw_log_diagonal = nn.Parameter(torch.zeros(groups, n)) if free else None
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1)) if bias else None
        self._arrangement = Arrangement(
            partial(_map_kernel, corners=corners, kernel_size=(kh, kw), upper=upper),
            self.taps.shape,
            self.lower.shape,
            (groups, n),
        )
        self._solvers = WeightCache()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.invert:
            return self._solve(x), self._log_det(x, -1)
        return self._convolve(x), self._log_det(x, 1)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        if self.invert:
            return self._convolve(y), self._log_det(y, 1)
        return self._solve(y), self._log_det(y, -1)

    def kernel(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """The kernels in top-left order, (groups, n, n, kh, kw); [..., -1, -1] is the pixel."""
        return _kernel(*self._numbers(dtype), self.kernel_size, upper=self.upper)

    def _numbers(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Parts of the kernels: taps, the last one's entries off the diagonal, and those on it."""
        taps, lower = self.taps.to(dtype), self.lower.to(dtype)
        diagonal = self.log_diagonal(dtype).exp()
        if self.gain_max is not None:
            last = _last_tap(lower, diagonal, upper=self.upper)
            taps = torch.einsum("goi,gikt->gokt", last, _bound_rows(taps, self.gain_max))
        return taps, lower, diagonal

    def log_diagonal(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Logarithm of the last tap's diagonal, (groups, n)."""
        if self.raw_log_diagonal is None:
            return self.taps.new_zeros(self.taps.shape[:2], dtype=dtype)
        return bounded(self.raw_log_diagonal.to(dtype), BOUND)

    @torch.no_grad()
    def stability(self, size: Size) -> Stability:
        """Gain of `inverse`, its bound and the condition number on maps of (H, W) = size.

        With the layer written as A0 (I + N), g is the largest absolute row sum of N; if g < 1,
        the solve amplifies by at most |A0^-1| / (1 - g) at any size. Its exact gain is the largest
        absolute sum of its impulse response, found in float64.

        Raises:
            NonFiniteError: For NaN or infinite weights.
        """
        kernel = self.operator().checked().kernel
        g, bound = _proof(kernel)
        solve = float(_row_sums(impulse_response(kernel, size)).nan_to_num(math.inf, math.inf))
        # Taps that reach beyond the map are idle.
        convolve = float(_row_sums(kernel[..., -size[0] :, -size[1] :]))
        if self.invert:
            return Stability(float(_row_sums(kernel)), convolve, solve * convolve, g)
        return Stability(bound, solve, solve * convolve, g)

    @torch.no_grad()
    def proven_condition(self) -> float:
        kernel = self.operator().checked().kernel
        return _proof(kernel)[1] * float(_row_sums(kernel))

    def operator(self) -> Operator:
        """The operator that `zoo.solvers` inverts, in float64."""
        bias = None if self.bias is None else self.bias.flatten().double()
        return Operator(self.kernel(torch.float64), self.corners, bias, self.name)

    def _convolve(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.flatten()
        kh, kw = self.kernel_size
        kernel, groups = self._map_kernel(x.dtype), len(self.corners)

        def convolve(x: Tensor) -> Tensor:
            if groups == 1:
                return F.conv2d(F.pad(x, padding(self.corners[0], kh, kw)), kernel, bias)
            return F.conv2d(x, kernel, bias, padding=(kh - 1, kw - 1), groups=groups)

        return in_bands(convolve, x, reach=kh - 1, width=self.channels)

    def _solve(self, y: Tensor) -> Tensor:
        if self.solver is not None:
            return self.solver.solve(y)
        if in_graph():
            shifted = y if self.bias is None else y - self.bias
            return triangular_solve(self.kernel(y.dtype), shifted, self.corners, self.method)
        channels, size = self.taps.shape[1], (y.shape[2], y.shape[3])
        shape = Shape(channels, self.kernel_size, self.corners, size, len(y), kind_of_device(y))
        key = (size, y.dtype, choose(self.method, shape))
        solver = self.cached(key, lambda: prepare(self.operator(), *key), self._solvers)
        return solver.solve(y)

    def _map_kernel(self, dtype: torch.dtype) -> Tensor:
        """The kernel of an ordinary convolution, (G * C, C, kh', kw'), channels last."""
        channels_last = self.cached(dtype, lambda: self._arrangement.make(*self._numbers(dtype)))
        return channels_last.movedim(-1, 1)

    def _log_det(self, x: Tensor, sign: int) -> Tensor:
        key = ("log_det", x.dtype, sign)
        total = self.cached(key, lambda: sign * self.log_diagonal(x.dtype).sum())
        if self.raw_log_diagonal is not None:
            total = total * (x.shape[2] * x.shape[3])
        return total.expand(x.shape[0])


class PaddedConv2d(CornerConv):
    """Invertible k x k convolution over all channels, padded towards one corner.

    Invertible iff the last tap is, whatever the other taps are; exact inverse by triangular
    solve. H * W * sum(log_diagonal) is the log_det.

    Source: CInC Flow (Nagar et al., 2021), section 3.

    Args:
        channels: Number of channels C of the (B, C, H, W) input.
        kernel_size: k, or (kh, kw).
        corner: Place of the padding, that is, the direction a pixel takes information from.
        diagonal: "free" learns the diagonal of the last tap, "unit" fixes it to 1 (log_det = 0).
        gain_max: Keep the gain bound below this by construction; None leaves the taps free.
        method: Method of the inverse, see `zoo.solvers`; "auto" is the fastest.
        invert: Solve in forward and convolve in inverse.
        upper: Whether the last tap is upper triangular over channels instead of lower.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | tuple[int, int] = 3,
        corner: Corner = "top_left",
        diagonal: Diagonal = "free",
        *,
        gain_max: float | None = None,
        method: Method = "auto",
        invert: bool = False,
        upper: bool = False,
    ) -> None:
        super().__init__(
            channels,
            kernel_size,
            (corner,),
            diagonal=diagonal,
            bias=True,
            init_std=0.02,
            gain_max=gain_max,
            method=method,
            invert=invert,
            upper=upper,
        )


class FInCUnit(CornerConv):
    """Four padded convolutions, one corner for each quarter of the channels; log_det = 0.

    Source: FInC Flow (Nagar et al., 2023), section 3.

    Args:
        channels: Number of channels C of the (B, C, H, W) input, a multiple of 4.

    The rest as for `PaddedConv2d`.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | tuple[int, int] = 3,
        *,
        gain_max: float | None = None,
        method: Method = "auto",
        invert: bool = False,
    ) -> None:
        super().__init__(
            channels,
            kernel_size,
            CORNERS,
            diagonal="unit",
            bias=False,
            init_std=0.05,
            gain_max=gain_max,
            method=method,
            invert=invert,
        )


def _check_options(
    channels: int,
    kernel_size: tuple[int, int],
    corners: tuple[str, ...],
    diagonal: str,
    method: str,
    gain_max: float | None,
) -> None:
    if unknown := set(corners) - set(CORNERS):
        raise ConfigError(f"unknown corner {unknown.pop()!r}; choose from {', '.join(CORNERS)}.")
    if channels < 1 or channels % len(corners):
        raise ConfigError(
            f"channels must be a positive multiple of {len(corners)}; got {channels}."
        )
    if min(kernel_size) < 1:
        raise ConfigError(f"kernel_size must be at least 1; got {kernel_size}.")
    if gain_max is not None and not 0 < gain_max < math.inf:
        raise ConfigError(f"gain_max must be positive, or None; got {gain_max!r}.")
    for name, value, kind in (("diagonal", diagonal, Diagonal), ("method", method, Method)):
        if value not in get_args(kind):
            raise ConfigError(f"unknown {name} {value!r}; choose from {', '.join(get_args(kind))}.")


def _proof(kernel: Tensor) -> tuple[float, float]:
    """g, and what the solve amplifies by at most at any size, of (G, C, C, kh, kw)."""
    inverse = inverses(kernel[..., -1, -1])
    g = float(_row_sums((inverse @ kernel.flatten(3)[..., :-1].flatten(2))[..., None]))
    return g, float(_row_sums(inverse[..., None])) / (1 - g) if g < 1 else math.inf


def _row_sums(matrix: Tensor) -> Tensor:
    """The largest absolute sum over the inputs of an output, of (G, out, in, ...)."""
    return matrix.abs().flatten(2).sum(-1).max()


def _bound_rows(taps: Tensor, gain_max: float) -> Tensor:
    """Shrink (G, n, n, taps) smoothly, so that absolute row sums stay below gain_max."""
    gain = taps.abs().sum((2, 3), keepdim=True)
    return taps * (1 + (gain / gain_max).square()).rsqrt()


def _last_tap(lower: Tensor, diagonal: Tensor, *, upper: bool) -> Tensor:
    last = lower_triangular(lower, diagonal)
    return last.mT if upper else last


def _kernel(
    taps: Tensor, lower: Tensor, diagonal: Tensor, size: tuple[int, int], *, upper: bool
) -> Tensor:
    """Kernels in top-left order, (G, C, C, kh, kw)."""
    last = _last_tap(lower, diagonal, upper=upper)
    return torch.cat([taps, last[..., None]], dim=-1).unflatten(-1, size)


def _map_kernel(
    taps: Tensor,
    lower: Tensor,
    diagonal: Tensor,
    *,
    corners: tuple[Corner, ...],
    kernel_size: tuple[int, int],
    upper: bool,
) -> Tensor:
    """The kernel of an ordinary convolution, (G * C, kh', kw', C), grouped if groups are several.

    That of several groups is 2k - 1 wide around the pixel, so that all of them are one
    convolution without flips. Its zeros cost less than convolutions of their own: forward and
    backward take 0.3 to 1.2 times as long (2 CPU threads, 4 to 96 channels).
    """
    kernels = _kernel(taps, lower, diagonal, kernel_size, upper=upper)
    flipped = [k.flip(flips(corner)) for k, corner in zip(kernels, corners, strict=True)]
    if len(flipped) > 1:
        sides = [padding(corner, *kernel_size, kernel=True) for corner in corners]
        flipped = [F.pad(k, side) for k, side in zip(flipped, sides, strict=True)]
    return torch.cat(flipped).movedim(1, -1).contiguous()


def padding(corner: Corner, kh: int, kw: int, *, kernel: bool = False) -> tuple[int, int, int, int]:
    """Left, right, top, bottom padding of the map; of the kernel it is the other way round."""
    vertical, horizontal = corner.split("_")
    across = (kw - 1, 0) if (horizontal == "left") != kernel else (0, kw - 1)
    down = (kh - 1, 0) if (vertical == "top") != kernel else (0, kh - 1)
    return *across, *down
