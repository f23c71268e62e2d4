"""The place of one image in the histogram of a whole set."""

from typing import Any


def share_above(histogram: dict[str, Any], bits: float, name: str | None = None) -> float:
    """Share of a set's images with more bits/dim, as far as bins tell: evenly within one.

    Args:
        histogram: Entry likelihood_histogram of eval.json.
        bits: Bits/dim of an image.
        name: Set; default: the first, the test split.
    """
    counts = histogram["sets"][name or next(iter(histogram["sets"]))]["counts"]
    edges = histogram["edges"]
    above = 0.0
    for count, low, high in zip(counts, edges, edges[1:], strict=False):
        above += count * min(max((high - bits) / (high - low), 0.0), 1.0)
    return above / sum(counts)


def share_farther(histogram: dict[str, Any], bits: float, mean: float) -> float:
    """Share of the test split's images that are farther from its mean bits/dim than an image."""
    distance = abs(bits - mean)
    below = 1 - share_above(histogram, mean - distance)
    return below + share_above(histogram, mean + distance)
