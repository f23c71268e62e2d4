"""What a bijection is, and how bijections compose."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from zoo.bijections.stability import Stability


class Bijection(nn.Module):
    """An invertible map of (B, C, H, W) tensors with a known volume change.

    Forward is always the direction image -> latent. To write a new one, implement both methods,
    each returning the mapped tensor and log|det| of the Jacobian *of that direction*, shape (B,);
    then add a row to the table in `tests/bijections/cases.py`, which proves the rest.

    Attributes:
        name: What errors call it: its path, once it is in a `Flow`.
    """

    name: str

    def __init__(self) -> None:
        super().__init__()
        self.name = type(self).__name__

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x to (y, log|det dy/dx|)."""
        raise NotImplementedError

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map y back to (x, log|det dx/dy|)."""
        raise NotImplementedError

    def stability(self, size: tuple[int, int]) -> Stability | None:
        """For linear maps with weights: how much the inverse amplifies errors on (H, W) maps."""
        return None


class Chain(Bijection):
    """Bijections applied one after the other; log-dets are added in float64.

    Args:
        bijections: Applied first to last in forward, last to first in inverse.
    """

    bijections: Sequence[Bijection]

    def __init__(self, bijections: Iterable[Bijection]) -> None:
        super().__init__()
        self.bijections = nn.ModuleList(bijections)  # type: ignore[assignment]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        for bijection in self.bijections:
            x, log_det = bijection(x)
            total = total + log_det
        return x, total

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros(len(y), dtype=torch.float64, device=y.device)
        for bijection in reversed(self.bijections):
            y, log_det = bijection.inverse(y)
            total = total + log_det
        return y, total
