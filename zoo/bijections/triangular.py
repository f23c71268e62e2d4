"""Triangular matrices from the numbers that are free in them."""

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
