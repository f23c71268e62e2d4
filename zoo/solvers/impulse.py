"""The impulse response of the inverse, which is a convolution too, and its use through the FFT."""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.solvers.operator import Corner, Operator, Size, group, ungroup
from zoo.solvers.tiles import TileSolver


def impulse_response(kernel: Tensor, size: Size) -> Tensor:
    """The H x W kernel of the inverse of a padded convolution.

    Args:
        kernel: float64 (G, C, C, kh, kw), in top-left order.
        size: (H, W) of the maps.

    Returns:
        (G, C, C, H, W): effect of y[i] on x[o] at distances 0, 1, ... from it.
    """
    groups, channels = kernel.shape[:2]
    impulses = kernel.new_zeros(channels, groups, channels, *size)
    index = torch.arange(channels, device=kernel.device)
    impulses[index, :, index, 0, 0] = 1
    corners: list[Corner] = ["top_left"] * groups
    operator = Operator(kernel, tuple(corners))
    # Tiles of one pixel: their matrices are small at any map size.
    solver = TileSolver.prepare(operator, size, torch.float64, (1, 1))
    solved = solver.solve(impulses.flatten(1, 2)).unflatten(1, (groups, channels))
    return solved.permute(1, 2, 0, 3, 4)


@dataclass(frozen=True)
class FourierSolver:
    """Inverts by one zero-padded product of spectra, at a cost that does not depend on k.

    Attributes:
        operator: Operator to invert.
        size: (H, W) of the maps.
        spectrum: (G, C, C, 2H, W + 1), of the impulse response.
        bias: (G * C, 1, 1), or None.
    """

    operator: Operator
    size: Size
    spectrum: Tensor
    bias: Tensor | None

    @classmethod
    def prepare(cls, operator: Operator, size: Size, dtype: torch.dtype) -> "FourierSolver":
        """Solve C impulses in float64 and transform the result."""
        response = impulse_response(operator.kernel, size)
        spectrum = torch.fft.rfft2(response, s=(2 * size[0], 2 * size[1]))
        bias = None if operator.bias is None else operator.bias.to(dtype).view(-1, 1, 1)
        return cls(operator, size, spectrum.to(dtype.to_complex()), bias)

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x."""
        height, width = self.size
        padded = (2 * height, 2 * width)
        grouped = group(y if self.bias is None else y - self.bias, self.operator.corners)
        spectrum = torch.einsum(
            "goihw,bgihw->bgohw", self.spectrum, torch.fft.rfft2(grouped, s=padded)
        )
        x = torch.fft.irfft2(spectrum, s=padded)[..., :height, :width]
        return ungroup(x, self.operator.corners)
