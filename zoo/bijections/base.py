"""An invertible layer: the contract that every one of them keeps."""

from typing import ClassVar

from torch import Tensor, nn

from zoo.bijections.stability import Limits, Stability


class Bijection(nn.Module):
    """An invertible map of (B, C, H, W) tensors with a known volume change.

    Forward is always the direction image -> latent. To write a new one, implement both methods,
    each returning the mapped tensor and log|det| of the Jacobian *of that direction*, shape (B,);
    then add a row to the table in `tests/bijections/cases.py`, which proves the rest.

    Attributes:
        name: Name in errors: its path, once it is in a `Flow`.
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
        """For linear maps with weights: how much the inverse amplifies errors at a size (H, W)."""
        return None

    def proven_condition(self) -> float:
        """Bound of the condition number at every size, as `stability` proves it; quick to find.

        1 for layers without it, infinite if nothing is proven.
        """
        return 1.0

    def limits(self) -> Limits | None:
        """For couplings: what bounds their scales and shifts."""
        return None
