"""Large maps in bands of rows: the same numbers, in a part of the memory."""

from collections.abc import Callable

from torch import Tensor

# Numbers of the widest map that a band may have, and rows below which seams would cost too much.
NUMBERS, ROWS = 2**24, 64


def in_bands(function: Callable[[Tensor], Tensor], x: Tensor, reach: int, width: int) -> Tensor:
    """Apply a function to maps (B, C, H, W); to large ones in bands of rows, one after the other.

    Args:
        function: Maps (B, C, h, W) to (B, C', h, W), laid out channels last. Rows depend on rows at
            most `reach` away, and beyond the edges there are zeros.
        x: The maps.
        reach: Rows that a band needs from its neighbours on either side.
        width: Channels of the widest map in between.
    """
    batch, _, height, columns = x.shape
    rows = max(ROWS, NUMBERS // (batch * width * columns))
    if height <= rows:
        return function(x)
    y = None
    for start in range(0, height, rows):
        top, stop = max(0, start - reach), min(height, start + rows)
        band = function(x[:, :, top : stop + reach])
        if y is None:
            shape = (batch, height, columns, band.shape[1])
            y = band.new_empty(shape).permute(0, 3, 1, 2)
        y[:, :, start:stop] = band[:, :, start - top : stop - top]
    assert y is not None
    return y
