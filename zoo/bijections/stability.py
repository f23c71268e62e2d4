"""How much a linear layer's inverse amplifies errors."""

from typing import NamedTuple


class Stability(NamedTuple):
    """What is proven of a linear bijection, in the maximum norm.

    Attributes:
        gain_bound: g, the effect of other pixels relative to that of a pixel on itself; below 1 it
            proves a stable inverse at every map size. 0 where no other pixel counts.
        gain: Norm of the inverse at the map size asked for: the most that it amplifies an error.
        condition: That times the norm of the forward map: the most that the inverse amplifies a
            relative error.
    """

    gain_bound: float
    gain: float
    condition: float
