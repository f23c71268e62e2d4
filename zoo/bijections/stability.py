"""How much the inverse of a layer amplifies errors."""

from typing import NamedTuple


class Stability(NamedTuple):
    """What is known of a layer's inverse at one map size.

    Attributes:
        gain_bound: Bound known beforehand on the amplification; infinite if there is none.
        gain: Amplification by the inverse at this map size.
        condition: Condition number at this map size.
    """

    gain_bound: float
    gain: float
    condition: float
