"""Solve all anti-diagonals of all images and groups in one launch, on GPUs; needs Triton."""

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from torch.nn import functional as F

from zoo.solvers.operator import Operator, Size, inverses
from zoo.solvers.sweep_kernel import sweep

# Rows of outputs of a program, and the most weights that its registers hold.
LANES, HELD = 128, 54


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
        """Number of programs that solve y, and the options that they are compiled for."""
        longest, out = triton.next_power_of_2(min(y.shape[2:])), self.weights.shape[-1]
        images = max(1, min(triton.next_power_of_2(len(y)), LANES // (longest * out)))
        kh, kw = self.kernel_size
        hold = self.channels * kh * kw <= HELD
        options = {
            "C": self.channels,
            "OUT": out,
            "KH": kh,
            "KW": kw,
            "IMAGES": images,
            "LONGEST": longest,
            "SHIFT": self.shift is not None,
            "HOLD": hold,
            # A thread that reads its weights anew for each row had better have one row.
            "num_warps": max(1, min(8, images * longest * out // (64 if hold else 32))),
        }
        return (triton.cdiv(len(y), images), len(self.weights)), options


def launch(grid: tuple[int, int], options: dict[str, Any], *arguments: Any) -> None:
    """Start the kernel."""
    sweep[grid](*arguments, **options)


def _sign(corner: str, side: str) -> int:
    return 1 if side in corner.split("_") else -1
