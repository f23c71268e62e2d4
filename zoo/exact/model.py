"""Interface of a flow that exactness needs: `zoo.Flow` has it."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from zoo.bijections import Bijection


class Model(Protocol):
    """A flow of images, in evaluation."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of its weights."""

    def at(self, dtype: torch.dtype) -> "Model":
        """The same flow with weights of a type."""

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, H, W) in [0, 1] to latents (B, D) and log|det| (B,)."""

    def inverse(
        self, z: Tensor, size: tuple[int, int], *, trusted: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Map latents (B, D) to (B, C, H, W) and log|det| (B,); trusted if `agree` follows."""

    def agree(self, right: Tensor) -> bool:
        """Whether all of (B,) are right, and results of the present weights."""

    def encode_centres(self, images: Tensor) -> Tensor:
        """Latents (B, D) of the bin centres of uint8 images (B, C, H, W)."""

    def worst_condition(self, size: tuple[int, int]) -> float:
        """The largest condition number of a layer for images of a size."""

    def named_bijections(self) -> Iterator[tuple[str, Bijection]]:
        """Name and layer of every bijection."""
