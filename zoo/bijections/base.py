"""What a bijection is, and how bijections compose."""

import itertools
from collections.abc import Iterable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from zoo.bijections.recompute import CHOICES, Activations, store
from zoo.bijections.stability import Limits, Stability


class Bijection(nn.Module):
    """An invertible map of (B, C, H, W) tensors with a known volume change.

    Forward is always the direction image -> latent. To write a new one, implement both methods,
    each returning the mapped tensor and log|det| of the Jacobian *of that direction*, shape (B,);
    then add a row to the table in `tests/bijections/cases.py`, which proves the rest.

    Attributes:
        name: What errors call it: its path, once it is in a `Flow`.
        elementwise: Whether it moves, scales or bends numbers one by one, so that no error spreads.
            Other layers are certified by `stability` or `limits`, or called uncertified.
    """

    name: str
    elementwise: ClassVar[bool] = False

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

    def proven_condition(self) -> float:
        """What `stability` proves of the condition number at every size, found in no time.

        1 for layers without it, infinite if nothing is proven.
        """
        return 1.0

    def limits(self) -> Limits | None:
        """For couplings: what bounds their scales and shifts."""
        return None


class Chain(Bijection):
    """Bijections applied one after the other; log-dets are added in float64.

    Args:
        bijections: Applied first to last in forward, last to first in inverse; of chains among
            them, their parts.

    Attributes:
        activations: What the backward pass keeps, see `zoo.bijections.recompute`.
    """

    bijections: Sequence[Bijection]
    activations: Activations = "store"

    def __init__(self, bijections: Iterable[Bijection]) -> None:
        super().__init__()
        parts = (part.bijections if isinstance(part, Chain) else [part] for part in bijections)
        flat = nn.ModuleList(itertools.chain.from_iterable(parts))
        self.bijections = flat  # type: ignore[assignment]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        run = CHOICES[self.activations] if torch.is_grad_enabled() else store
        return run(self.bijections, x)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        total = torch.zeros(y.shape[0], dtype=torch.float64, device=y.device)
        for bijection in reversed(self.bijections):
            y, log_det = bijection.inverse(y)
            total = total + log_det
        return y, total
