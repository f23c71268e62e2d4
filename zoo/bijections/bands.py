"""Large maps in bands of rows: the same numbers, in a part of the memory."""

from collections.abc import Callable

import torch
from torch import Tensor

from zoo.bijections.cache import in_graph

# Numbers of the widest map that a band may have, and rows below which seams would cost too much.
NUMBERS, ROWS = 2**24, 32
# CPUs unfold the input of 3 x 3 convolutions in float64.
UNFOLDED = 9


def in_bands(function: Callable[[Tensor], Tensor], x: Tensor, reach: int, width: int) -> Tensor:
    """Apply a function to maps (B, C, H, W); to large ones in bands of rows, one after the other.

    Maps that become part of a graph are not cut.

    Args:
        function: Maps (B, C, h, W) to (B, C', h, W), laid out channels last. Rows depend on rows at
            most `reach` away, and beyond the edges there are zeros.
        x: The maps.
        reach: Rows that a band needs from its neighbours on either side.
        width: Channels of the widest map in between.
    """
    if in_graph() or x.shape[2] <= (rows := rows_of_band(x, width)):
        return function(x)
    y, height = None, x.shape[2]
    for start in range(0, height, rows):
        top, stop = max(0, start - reach), min(height, start + rows)
        band = function(x[:, :, top : stop + reach])
        if y is None:
            shape = (len(x), height, x.shape[3], band.shape[1])
            y = band.new_empty(shape).permute(0, 3, 1, 2)
        y[:, :, start:stop] = band[:, :, start - top : stop - top]
    assert y is not None
    return y


def rows_of_band(x: Tensor, width: int) -> int:
    """Rows of maps (B, C, H, W) in a band, for the channels of the widest map in between."""
    copies = UNFOLDED if x.dtype == torch.float64 else 1
    return max(ROWS, NUMBERS // max(1, len(x) * width * x.shape[3] * copies))
