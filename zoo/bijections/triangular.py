"""Triangular matrices, and kernels with such, from the numbers that are free in them."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor


def lower_triangular(below: Tensor, diagonal: Tensor) -> Tensor:
    """Lower triangular matrices from their parts.

    Args:
        below: (..., n(n-1)/2), the entries below the diagonal, row by row.
        diagonal: (..., n).

    Returns:
        (..., n, n).
    """
    n = diagonal.shape[-1]
    rows, columns = torch.tril_indices(n, n, -1, device=diagonal.device)
    matrix = torch.diag_embed(diagonal)
    matrix[..., rows, columns] = below
    return matrix


class Arrangement:
    """A tensor made of zeros and of the entries of others, by one gather instead of many copies.

    In training, weights are put together and gradients are taken apart in every step.

    Args:
        arrange: Puts tensors of the given shapes together; it may copy and pad with zeros only.
        shapes: Shapes of the tensors.
    """

    def __init__(self, arrange: Callable[..., Tensor], *shapes: Sequence[int]) -> None:
        with torch.device("cpu"):  # not a buffer: a flow may be made without memory and filled
            ends = accumulate(map(math.prod, shapes), initial=1)  # place 0 is that of a zero
            parts = [torch.arange(*span, dtype=torch.int32) for span in pairwise(ends)]
            places = arrange(*(p.view(*shape) for p, shape in zip(parts, shapes, strict=True)))
        self._places = {places.device: places}

    def make(self, *parts: Tensor) -> Tensor:
        """Arrange these tensors as `arrange` does; the result is contiguous."""
        numbers = torch.cat([parts[0].new_zeros(1), *(part.flatten() for part in parts)])
        places = self._on(numbers.device)
        return numbers.index_select(0, places.flatten()).view(places.shape)

    def _on(self, device: torch.device) -> Tensor:
        if device not in self._places:
            self._places[device] = next(iter(self._places.values())).to(device)
        return self._places[device]
