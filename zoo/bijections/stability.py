"""How much a linear layer's inverse amplifies errors."""

from typing import NamedTuple


class Stability(NamedTuple):
    """What is proven of a linear bijection, in the maximum norm.

    Attributes:
        gain_bound: What the weights alone prove: for padded convolutions g, which proves a stable
            inverse at every map size if it is below 1.
        gain: Norm of the inverse at the map size asked for: the most that it amplifies an error.
        condition: That times the norm of the forward map: the most that the inverse amplifies a
            relative error.
    """

    gain_bound: float
    gain: float
    condition: float
