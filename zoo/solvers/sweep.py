"""Solve all anti-diagonals of all images and groups in one launch, on GPUs; needs Triton.

A program solves some images of one group. It walks the anti-diagonals of the map, whose pixels are
independent of each other, and reads the pixels before them where it has written them. Products are
in the type of the maps: no tensor cores, hence no TF32.
"""

# ruff: noqa: N803 RUF005 - Triton names constants in capitals, and knows sums of tuples only.

from dataclasses import dataclass
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from zoo.solvers.operator import Operator, Size, inverses

# Rows of outputs of a program, and the most weights that its registers hold.
LANES, HELD = 128, 54


@triton.jit(do_not_specialize=["batch"])
def _sweep(
    y,
    x,
    weights,
    shift,
    directions,
    batch,
    height,
    width,
    yb,
    yc,
    yh,
    yw,
    xb,
    xc,
    xh,
    xw,
    C: tl.constexpr,
    OUT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    IMAGES: tl.constexpr,
    LONGEST: tl.constexpr,
    SHIFT: tl.constexpr,
    HOLD: tl.constexpr,
):
    """x[o] = shift[o] + sum_i W[0, i, o] y[i] + sum_{t > 0, i} W[t, i, o] x[i, tap t nearer].

    Tensors are as in `SweepSolver`; yb .. xw are strides, OUT is C and LONGEST the longest diagonal
    up to a power of two. HOLD keeps the weights in registers and reads y a diagonal ahead.
    """
    group = tl.program_id(1)
    lane = tl.arange(0, IMAGES * LONGEST)
    image = tl.program_id(0).to(tl.int64) * IMAGES + lane // LONGEST
    along = lane % LONGEST
    out = tl.arange(0, OUT)
    down = tl.load(directions + 2 * group)
    right = tl.load(directions + 2 * group + 1)
    # A flip is a negative stride from the other end.
    last_h, last_w = tl.where(down < 0, height - 1, 0), tl.where(right < 0, width - 1, 0)
    y += image * yb + group * C * yc + last_h * yh + last_w * yw
    x += image * xb + group * C * xc + last_h * xh + last_w * xw
    yh, yw, xh, xw = yh * down, yw * right, xh * down, xw * right
    weights += group * (KH * KW * C * OUT) + out
    here = image < batch
    base = tl.zeros((IMAGES * LONGEST, OUT), x.dtype.element_ty)
    if SHIFT:
        base += tl.load(shift + group * OUT + out)[None, :]
    held, ahead = (), ()
    if HOLD:
        for t in tl.static_range(KH * KW * C):
            held = held + (tl.load(weights + t * OUT),)
        for i in tl.static_range(C):  # the first diagonal is the pixel in the corner
            ahead = ahead + (tl.load(y + i * yc, mask=here & (along == 0), other=0.0),)
    for diagonal in range(height + width - 1):
        h = tl.maximum(0, diagonal - width + 1) + along
        w = diagonal - h
        live = (h < height) & (w >= 0) & here
        pixel = x + h * xh + w * xw
        total = base
        if HOLD:
            next_h = tl.maximum(0, diagonal - width + 2) + along
            next_w = diagonal + 1 - next_h
            wanted = (next_h < height) & (next_w >= 0) & here
            fetched = ()
            for i in tl.static_range(C):
                total += ahead[i][:, None] * held[i][None, :]
                place = y + next_h * yh + next_w * yw + i * yc
                fetched = fetched + (tl.load(place, mask=wanted, other=0.0),)
            ahead = fetched
        else:
            for i in range(C):
                value = tl.load(y + h * yh + w * yw + i * yc, mask=live, other=0.0)
                total += value[:, None] * tl.load(weights + i * OUT)[None, :]
        for a in tl.static_range(KH):
            for b in tl.static_range(KW):
                if a + b > 0:
                    inside = live & (h >= a) & (w >= b)
                    nearer = pixel - a * xh - b * xw
                    if HOLD:
                        for i in tl.static_range(C):
                            value = tl.load(nearer + i * xc, mask=inside, other=0.0)
                            total += value[:, None] * held[(a * KW + b) * C + i][None, :]
                    else:
                        for i in range(C):
                            value = tl.load(nearer + i * xc, mask=inside, other=0.0)
                            tap = tl.load(weights + ((a * KW + b) * C + i) * OUT)
                            total += value[:, None] * tap[None, :]
        tl.store(pixel[:, None] + out[None, :] * xc, total, mask=live[:, None] & (out < C)[None, :])
        tl.debug_barrier()  # the next diagonal reads what other threads have written


@dataclass(frozen=True)
class SweepSolver:
    """Inverts in one launch, whatever the corners, the number of channels and the size.

    Source: FInC Flow (Nagar et al., 2023), section 4, as one kernel.

    Attributes:
        weights: (G, kh * kw, C, OUT), inverse of the last tap first, then, divided by it and
            negated, the tap a rows and b columns nearer to the corner at a * kw + b.
        shift: (G, OUT), what the bias becomes, or None.
        directions: (G, 2) int32, for rows and columns: 1 from top or left, else -1.
        kernel_size: (kh, kw).
        channels: C, of a group.
    """

    weights: Tensor
    shift: Tensor | None
    directions: Tensor
    kernel_size: Size
    channels: int

    @classmethod
    def prepare(cls, operator: Operator, size: Size, dtype: torch.dtype) -> "SweepSolver":
        """Divide by the last tap, in float64; any size will do."""
        kernel = operator.kernel  # (G, C, C, kh, kw)
        groups, channels, _, kh, kw = kernel.shape
        inverse = inverses(kernel[..., -1, -1])
        taps = -torch.einsum("goi,gikab->gabko", inverse, kernel).flip(1, 2)
        taps[:, 0, 0] = inverse.mT
        missing = (0, triton.next_power_of_2(channels) - channels)
        weights = F.pad(taps.flatten(1, 2), missing).to(dtype).contiguous()
        shift = None
        if operator.bias is not None:
            moved = inverse @ operator.bias.view(groups, channels, 1)
            shift = F.pad(-moved[..., 0], missing).to(dtype).contiguous()
        signs = [[_sign(c, "top"), _sign(c, "left")] for c in operator.corners]
        directions = torch.tensor(signs, dtype=torch.int32, device=kernel.device)
        return cls(weights, shift, directions, (kh, kw), channels)

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x, laid out channels last."""
        x = torch.empty_like(y, memory_format=torch.channels_last)
        shift = self.weights if self.shift is None else self.shift
        tensors = (y, x, self.weights, shift, self.directions)
        launch(*self.grid(y), *tensors, len(y), *y.shape[2:], *y.stride(), *x.stride())
        return x

    def grid(self, y: Tensor) -> tuple[tuple[int, int], dict[str, Any]]:
        """How many programs solve y, and what they are compiled for."""
        longest, out = triton.next_power_of_2(min(y.shape[2:])), self.weights.shape[-1]
        images = max(1, min(triton.next_power_of_2(len(y)), LANES // (longest * out)))
        kh, kw = self.kernel_size
        options = {
            "C": self.channels,
            "OUT": out,
            "KH": kh,
            "KW": kw,
            "IMAGES": images,
            "LONGEST": longest,
            "SHIFT": self.shift is not None,
            "HOLD": self.channels * kh * kw <= HELD,
            "num_warps": max(1, min(8, images * longest * out // 64)),
        }
        return (triton.cdiv(len(y), images), len(self.weights)), options


def launch(grid: tuple[int, int], options: dict[str, Any], *arguments: Any) -> None:
    """Start the kernel."""
    _sweep[grid](*arguments, **options)


def _sign(corner: str, side: str) -> int:
    return 1 if side in corner.split("_") else -1
