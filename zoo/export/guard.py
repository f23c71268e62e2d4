"""Refusing bad numbers inside a graph, where no Python runs."""

import torch
from torch import Tensor

from zoo.bijections import Bijection
from zoo.flow import Size

REFUSED = "numbers are NaN, infinite or out of range, or maps too large"


class Guard(Bijection):
    """A flow's preprocessing that lets no wrong image out, and no wrong pixel in.

    Every runtime checks the index of a gather on the CPU. So the gather of element 1 of a single
    zero is an error, and that of element 0 changes nothing.

    Args:
        preprocess: Bijection that is guarded.
        largest: (H, W) that neither side of a map may exceed.
    """

    nothing: Tensor

    def __init__(self, preprocess: Bijection, largest: Size) -> None:
        super().__init__()
        self.preprocess, self.largest = preprocess, largest
        self.register_buffer("nothing", torch.zeros(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.preprocess(self._checked(x, ((x >= 0) & (x <= 1)).all()))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        # Before a sigmoid turns infinities into black and white.
        return self.preprocess.inverse(self._checked(y, y.isfinite().all()))

    def _checked(self, x: Tensor, good: Tensor) -> Tensor:
        for side, most in zip(x.shape[2:], self.largest, strict=True):
            if not isinstance(side, int):  # known in use only
                good = good & (torch.full((), side) <= most)
        return x + self.nothing.index_select(0, torch.where(good, 0, 1).view(1))
