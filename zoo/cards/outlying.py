"""The place of one image in the histogram of a whole set."""

from typing import Any

import numpy as np


def share_above(histogram: dict[str, Any], bits: float) -> float:
    """Share of the test split's images with more bits/dim, as far as bins tell: evenly within one.

    Args:
        histogram: Entry likelihood_histogram of eval.json.
        bits: Bits/dim of an image.
    """
    counts = next(iter(histogram["sets"].values()))["counts"]  # of the first set, that split
    below = np.cumsum([0.0, *counts])
    return float(np.interp(bits, histogram["edges"], 1 - below / below[-1]))


def share_farther(histogram: dict[str, Any], bits: float, mean: float) -> float:
    """Share of the test split's images that are farther from its mean bits/dim than an image."""
    distance = abs(bits - mean)
    below = 1 - share_above(histogram, mean - distance)
    return below + share_above(histogram, mean + distance)
