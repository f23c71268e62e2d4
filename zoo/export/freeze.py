"""A flow whose weights stay as they are: everything that depends on them only is a constant."""

import copy
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.bijections.cache import WeightCache
from zoo.bijections.padded_conv import CornerConv, padding
from zoo.export.guard import Guard
from zoo.flow import Flow, Size
from zoo.solvers import Corner, Operator, impulse_response
from zoo.solvers.operator import flips

# Most that the taps left out of an impulse response add to a number, in units of the largest: far
# below the rounding of float32.
REST = 1e-10


class Constants(nn.Module):
    """A `WeightCache` that keeps everything, also where a graph is made."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[Hashable, Any] = {}

    def get(self, key: Hashable, weights: object, compute: Callable[[], Any]) -> Any:
        """Return the value of this key, computing it at most once."""
        if key not in self.values:
            self.values[key] = compute()
        return self.values[key]


@dataclass(frozen=True)
class ConvSolver:
    """Inverts by one ordinary convolution with the impulse response of the inverse.

    The inverse of a padded convolution is a padded convolution too, with a kernel as large as the
    map. One step for any size of map up to that one, and C * H * W numbers for each channel, where
    the matrix of the inverse has (H * W) times as many.

    Attributes:
        kernels: (C, C, H, W) of each group.
        corners: Corners of the groups.
        bias: (G * C, 1, 1), or None.
    """

    kernels: list[Tensor]
    corners: tuple[Corner, ...]
    bias: Tensor | None

    @classmethod
    def prepare(cls, operator: Operator, size: Size, dtype: torch.dtype) -> "ConvSolver":
        """Solve the impulses in float64, for maps of at most (H, W) = size."""
        operator = operator.checked()
        responses = shortened(impulse_response(operator.kernel, size)).flip(-2, -1).to(dtype)
        kernels = [
            response.flip(flips(corner)).contiguous()
            for response, corner in zip(responses, operator.corners, strict=True)
        ]
        bias = None if operator.bias is None else operator.bias.to(dtype).view(-1, 1, 1)
        return cls(kernels, operator.corners, bias)

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W) to x."""
        groups = (y if self.bias is None else y - self.bias).chunk(len(self.corners), dim=1)
        return torch.cat(
            [
                F.conv2d(F.pad(part, padding(corner, *kernel.shape[2:])), kernel)
                for part, corner, kernel in zip(groups, self.corners, self.kernels, strict=True)
            ],
            dim=1,
        )


def shortened(responses: Tensor) -> Tensor:
    """Leave out the last rows and columns of (G, C, C, H, W) that add up to less than REST."""
    for dim in (-2, -1):
        of_line = responses.abs().transpose(dim, -1).sum((2, 3)).amax((0, 1))
        rests = of_line.flip(0).cumsum(0).flip(0)  # of this line and all after it
        responses = responses.narrow(dim, 0, max(1, int((rests > REST).sum())))
    return responses


@torch.no_grad()
def freeze(flow: Flow, largest: Size) -> Flow:
    """A float32 copy on the CPU that can be traced, for images of at most (H, W) = largest.

    Raises:
        NonFiniteError: For NaN or infinite weights.
        NotInvertibleError: If a layer is singular.
    """
    frozen = copy.deepcopy(flow).cpu().float().eval().requires_grad_(False)
    frozen.preprocess = Guard(frozen.preprocess, largest)
    for module in list(frozen.modules()):
        for name, child in module.named_children():
            if isinstance(child, WeightCache):
                setattr(module, name, Constants())
    for level, block in enumerate(frozen.blocks, start=1):
        size = (largest[0] >> level, largest[1] >> level)
        for layer in block.modules():
            if isinstance(layer, CornerConv):
                layer.solver = ConvSolver.prepare(layer.operator(), size, torch.float32)
    return frozen
