"""Triangular matrices, and kernels with such, from the numbers that are free in them."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn


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


class Arrangement(nn.Module):
    """A tensor made of zeros and of the entries of others, by one gather instead of many copies.

    In training, weights are put together and gradients are taken apart in every step.

    Args:
        arrange: Puts tensors of the given shapes together; it may copy and pad with zeros only.
        shapes: Of the tensors.
    """

    places: Tensor

    def __init__(self, arrange: Callable[..., Tensor], *shapes: Sequence[int]) -> None:
        super().__init__()
        ends = accumulate(map(math.prod, shapes), initial=1)  # place 0 is that of a zero
        parts = [torch.arange(*span, dtype=torch.int32) for span in pairwise(ends)]
        places = arrange(*(part.view(*shape) for part, shape in zip(parts, shapes, strict=True)))
        self.register_buffer("places", places, persistent=False)

    def make(self, *parts: Tensor) -> Tensor:
        """What `arrange` makes of these tensors, contiguous."""
        numbers = torch.cat([parts[0].new_zeros(1), *(part.flatten() for part in parts)])
        return numbers.index_select(0, self.places.flatten()).view(self.places.shape)
