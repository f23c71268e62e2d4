"""Numbers as grey pictures."""

import torch
from torch import Tensor


def shade(values: Tensor, low: float, high: float) -> Tensor:
    """Numbers of any shape as uint8 of that shape, black from `low` down and white from `high` up.

    Args:
        values: Floats.
        low: Number that is black.
        high: Number that is white; where it is `low` all are black.
    """
    share = (values - low) / max(high - low, 1e-9)
    return (255 * share.clamp(0, 1)).round().to(torch.uint8)
