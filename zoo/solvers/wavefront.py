"""Solve all pixels of an anti-diagonal at once: the papers' parallel algorithm."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.solvers.operator import Operator, Size, group, inverses, ungroup


@dataclass(frozen=True)
class WavefrontSolver:
    """Inverts in H + W - 1 vectorised steps; the reference that the others are tested against.

    A pixel depends only on pixels above and left of it, so those with equal h + w are
    independent. Dividing by the last tap first makes all channels of a pixel one step too.

    Source: FInC Flow (Nagar et al., 2023), section 4, without its loop over channels.

    Attributes:
        operator: Operator to invert; its kernel divided by the last tap.
        inverse: (G, C, C), inverse of the last tap.
    """

    operator: Operator
    inverse: Tensor

    @classmethod
    def prepare(cls, operator: Operator, size: Size, dtype: torch.dtype) -> "WavefrontSolver":
        """Divide by the last tap; any size will do."""
        inverse = inverses(operator.kernel[..., -1, -1])
        kernel = torch.einsum("goi,gikab->gokab", inverse, operator.kernel).to(dtype)
        bias = None if operator.bias is None else operator.bias.to(dtype).view(-1, 1, 1)
        return cls(Operator(kernel, operator.corners, bias), inverse.to(dtype))

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x."""
        kernel, corners, bias = self.operator.kernel, self.operator.corners, self.operator.bias
        grouped = group(y if bias is None else y - bias, corners)
        scaled = torch.einsum("goi,bgihw->bgohw", self.inverse, grouped)
        return ungroup(_sweep(kernel, scaled), corners)


def _sweep(kernel: Tensor, y: Tensor) -> Tensor:
    """Solve y (B, G, C, H, W) for a kernel (G, C, C, kh, kw) whose last tap is 1."""
    groups, _, _, kh, kw = kernel.shape
    height, width = y.shape[-2:]
    taps = kernel.flatten(3)[..., :-1].flatten(2)  # (G, C, C * (kh * kw - 1))
    x = F.pad(torch.zeros_like(y), (kw - 1, 0, kh - 1, 0))
    for diagonal in range(height + width - 1):
        h = torch.arange(max(0, diagonal - width + 1), min(diagonal + 1, height), device=y.device)
        w = diagonal - h
        rows = h[:, None, None] + torch.arange(kh, device=y.device)[:, None]  # (n, kh, 1)
        columns = w[:, None, None] + torch.arange(kw, device=y.device)  # (n, 1, kw)
        past = x[..., rows, columns].flatten(-2)[..., :-1]  # (B, G, C, n, kh * kw - 1)
        past = past.movedim(3, 4).reshape(len(y), groups, taps.shape[-1], len(h))
        x[..., h + kh - 1, w + kw - 1] = y[..., h, w] - taps @ past
    return x[..., kh - 1 :, kw - 1 :]
