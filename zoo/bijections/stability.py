"""Amplification of errors by the inverse of a layer, and limits of a coupling."""

from typing import NamedTuple


class Stability(NamedTuple):
    """Stability of a layer's inverse at one map size.

    Norms are the maximum norm for triangular and 1 x 1 convolutions, whose round trip adds up
    signed weights, and the spectral norm for those that are diagonal in frequency.

    Attributes:
        gain_bound: Most that the inverse amplifies an error at any map size, as far as it is
            proven; infinite if nothing is.
        gain: Norm of the inverse at this map size: the most that it amplifies an error.
        condition: Gain times the norm of the forward map: the most that it amplifies a relative
            error.
        g: For triangular convolutions, the effect of other pixels relative to that of a pixel on
            itself: below 1 it proves a finite gain_bound.
    """

    gain_bound: float
    gain: float
    condition: float
    g: float | None = None


class Limits(NamedTuple):
    """Limits of a coupling for any weights and any input.

    Attributes:
        scale: The most that it stretches or shrinks a number by; infinite if nothing bounds it.
        shift: The most that it adds to a number; infinite if nothing bounds it.
    """

    scale: float
    shift: float
