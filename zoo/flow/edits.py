"""Changes of latents: a way along a direction, and levels drawn anew."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Protocol

import torch
from torch import Tensor

from zoo.devices import draw_normal
from zoo.errors import ArgumentError, LatentError


class Direction(Protocol):
    """A direction that knows its flow: `zoo.directions` has them."""

    def of(self, flow: Any, size: tuple[int, int]) -> Tensor:
        """Vector (D,), or a LatentError if it is of another flow or size."""


def move(z: Tensor, direction: Tensor, alpha: float | Sequence[float] | Tensor) -> Tensor:
    """Latents (B, D) moved by alpha times a direction (D,); those with alpha 0 keep every bit.

    Args:
        z: Latents.
        direction: Vector of any length.
        alpha: One number, or one for each row.
    """
    if not isinstance(direction, Tensor) or direction.shape != z.shape[1:]:
        kind = tuple(direction.shape) if isinstance(direction, Tensor) else type(direction).__name__
        raise LatentError(f"a direction is a vector of {z.shape[1]} numbers here; got {kind}.")
    steps = _amounts(alpha, z)
    return torch.where(steps == 0, z, z + steps * direction.to(z))


def _amounts(alpha: object, z: Tensor) -> Tensor:
    """(B, 1) or (1, 1)."""
    try:
        found = torch.as_tensor(alpha, dtype=z.dtype, device=z.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(f"alpha must be one number or {len(z)}; got {alpha!r}.") from error
    if found.shape not in ((), (len(z),)) or not found.isfinite().all():
        raise ArgumentError(f"alpha must be one finite number or {len(z)}; got {alpha}.")
    return found.view(-1, 1)


def check_levels(levels: object, count: int) -> list[int]:
    """Numbers of levels, finest first from 0, or from the coarsest by -1; each once.

    Raises:
        ArgumentError: If they are none of the flow's.
    """
    found = [levels] if isinstance(levels, Integral) else levels
    if (
        not isinstance(found, Sequence)
        or isinstance(found, str)
        or not found
        or not all(isinstance(k, Integral) and -count <= int(k) < count for k in found)
    ):
        raise ArgumentError(
            f"levels must be numbers from 0, the finest, to {count - 1}, the coarsest; "
            f"got {levels!r}."
        )
    return sorted({int(k) % count for k in found})


def draw_levels(
    levels: Sequence[Tensor], chosen: Sequence[int], generator: torch.Generator | None
) -> list[Tensor]:
    """Standard normal latents (B, C_l, H_l, W_l) for the chosen levels, and 0 for the others."""
    return [
        draw_normal(z.shape, generator, z) if k in chosen else torch.zeros_like(z)
        for k, z in enumerate(levels)
    ]
