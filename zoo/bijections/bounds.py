"""Bounds that keep a coupling from blowing up, whatever its net computes."""

import math
from dataclasses import dataclass

from torch import Tensor

from zoo.bijections.scale import bounded
from zoo.bijections.stability import Limits


@dataclass(frozen=True)
class Bounds:
    """Limits of what a coupling's net sees and of what it does.

    Outside the data a net extrapolates: its outputs grow with its inputs. A shift of 10^10 added to
    a number near 1 forgets that number, and no inverse finds it again. Each limit is smooth, close
    to the identity near 0, and holds for any weights.

    Attributes:
        shift: |shift| < this; None leaves shifts free, as the papers do.
        log_scale: |log scale| < this.
        inputs: Nets see inputs squashed to (-inputs, inputs); None shows them as they are.
    """

    shift: float | None = None
    log_scale: float = 2.0
    inputs: float | None = None

    def limits(self, *, affine: bool = True) -> Limits:
        """Limits of a coupling under these bounds, with scales or without."""
        shift = math.inf if self.shift is None else self.shift
        return Limits(math.exp(self.log_scale) if affine else 1.0, shift)

    def seen(self, x: Tensor) -> Tensor:
        """The input of a coupling as its net sees it."""
        return x if self.inputs is None else bounded(x, self.inputs)

    def limit_shift(self, shift: Tensor) -> Tensor:
        """The shift of a coupling from the output of its net."""
        return shift if self.shift is None else bounded(shift, self.shift)

    def limit_log_scale(self, log_scale: Tensor) -> Tensor:
        """The log-scale of a coupling from the output of its net."""
        return bounded(log_scale, self.log_scale)


FREE = Bounds()
