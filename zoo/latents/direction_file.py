"""Directions in a flow's latents, and their file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.documents import DocumentError, check, seal, unseal
from zoo.errors import ArgumentError, LatentError, suggest
from zoo.files import user_path, write_atomically
from zoo.flow import Flow
from zoo.folder import identity, is_identity

NUMBERS = ("vectors", "mean", "std", "correlation")
SCHEMA = {"sha256": str, "model": str, "method": str, "image_size": [int], "names": [str]}


@dataclass(frozen=True)
class Direction:
    """One direction, and where the latents that it was found in lie along it.

    Attributes:
        name: Class or attribute that it raises.
        vector: (D,) float32, of length 1.
        mean: Mean of the latents' positions along it.
        std: Standard deviation of these positions.
        correlation: Correlation of the positions with the class or attribute, from -1 to 1.
        sha256: Identity of the flow.
        image_size: (C, H, W) of the images.
    """

    name: str
    vector: Tensor
    mean: float
    std: float
    correlation: float
    sha256: str
    image_size: tuple[int, int, int]

    def of(self, flow: Flow, size: tuple[int, int]) -> Tensor:
        """The vector (D,), for the flow that it was found in and images of (H, W) = size.

        Raises:
            LatentError: If it is of another flow, or of another size.
        """
        check_flow(self.sha256, flow)
        if size != self.image_size[1:]:
            raise LatentError(
                f"{self.name!r} is a direction of images {self.image_size[1:]}; got {size}. Find "
                "one among latents of that size."
            )
        return self.vector.to(flow.device)

    def position(self, z: Tensor) -> Tensor:
        """Positions (B,) float64 of latents (B, D) along it, as `mean` and `std` are of."""
        return z.double() @ self.vector.to(z.device).double()


@dataclass(frozen=True)
class Directions:
    """Directions by name, as `zoo.directions` finds them: `found["slant"]`, `list(found)`.

    Attributes:
        sha256: Identity of the flow.
        model: Source of the flow, as for `zoo.load`; "" if it was not loaded.
        method: How they were found.
        image_size: (C, H, W) of the images.
        names: Classes or attributes.
        vectors: (K, D) float32, each of length 1.
        mean: (K,) float64; see `Direction`.
        std: (K,) float64.
        correlation: (K,) float64.
    """

    sha256: str
    model: str
    method: str
    image_size: tuple[int, int, int]
    names: tuple[str, ...]
    vectors: Tensor
    mean: Tensor
    std: Tensor
    correlation: Tensor

    def __getitem__(self, name: str | int) -> Direction:
        if str(name) not in self.names:
            raise ArgumentError(f"no direction {name!r}.{suggest(str(name), self.names)}")
        k = self.names.index(str(name))
        mean, std, correlation = (
            float(values[k]) for values in (self.mean, self.std, self.correlation)
        )
        vector, size = self.vectors[k], self.image_size
        return Direction(str(name), vector, mean, std, correlation, self.sha256, size)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def check_model(self, flow: Flow) -> None:
        """Raise LatentError unless they are this flow's."""
        check_flow(self.sha256, flow)

    def save(self, path: str | Path) -> None:
        """Write to a path as sealed safetensors, atomically."""
        about = {key: value for key, value in vars(self).items() if key not in NUMBERS}
        tensors = {key: getattr(self, key).contiguous() for key in NUMBERS}
        write_atomically(user_path(path), seal(tensors, about))

    @classmethod
    def load(cls, path: str | Path) -> "Directions":
        """Read a file of `save` from its path.

        Raises:
            LatentError: If it is missing, damaged or another kind of file.
        """
        try:
            tensors, about, _ = unseal(user_path(path))
            check(about, SCHEMA)
            _check_shapes(tensors, about)
        except (OSError, DocumentError) as error:
            raise LatentError(
                f"{path} is not a file of directions that flowzoo wrote ({error})."
            ) from error
        values: dict[str, Any] = {key: about[key] for key in SCHEMA} | tensors
        return cls(**values | {key: tuple(values[key]) for key in ("image_size", "names")})


def check_flow(sha256: str, flow: Flow) -> None:
    """Raise LatentError unless an identity is that of the flow."""
    if not is_identity(sha256, flow):
        raise LatentError(
            f"these directions are of the flow {sha256[:12]}…; this one has other weights or "
            f"another configuration, {identity(flow)[:12]}…. Find directions among its latents."
        )


def _check_shapes(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Raise DocumentError unless all numbers are there, as many as there are names."""
    count, size = len(about["names"]), torch.Size(about["image_size"])
    wanted = {key: ((count, size.numel()) if key == "vectors" else (count,)) for key in NUMBERS}
    if len(size) != 3 or {key: tuple(t.shape) for key, t in tensors.items()} != wanted:
        raise DocumentError("its numbers are of other shapes")
