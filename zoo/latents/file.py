"""Latents of some images in one file, together with what is needed to decode them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.documents import DocumentError, check, make, seal, unseal
from zoo.errors import ImageError, LatentError
from zoo.files import write_atomically
from zoo.flow import Flow
from zoo.folder import identity, is_identity
from zoo.pictures import Fitted

SCHEMA = {"model": str, "sha256": str, "images": [dict[str, Any]]}


@dataclass(frozen=True)
class LatentFile:
    """Content of a latents file.

    Attributes:
        model: Source of the model, as for `zoo.load`.
        sha256: Identity of the flow.
        images: Changes that fitted each image to the model.
        latents: One vector (D,) for each image, float32 or float64.
    """

    model: str
    sha256: str
    images: Sequence[Fitted]
    latents: Sequence[Tensor]

    def save(self, path: Path) -> None:
        """Write to a path as sealed safetensors, atomically."""
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        about = {
            "model": self.model,
            "sha256": self.sha256,
            "images": [image.to_dict() for image in self.images],
        }
        tensors = {str(i): z.contiguous().clone() for i, z in enumerate(self.latents)}
        return seal(tensors, about)

    @classmethod
    def load(cls, path: Path) -> "LatentFile":
        """Read the file that `save` wrote to a path.

        Raises:
            LatentError: If it is missing, damaged or another kind of file.
        """
        try:
            tensors, about, _ = unseal(path)
            check(about, SCHEMA)
            images = [make(Fitted, image) for image in about["images"]]
            latents = [tensors[str(i)] for i in range(len(images))]
            for image, z in zip(images, latents, strict=True):
                if z.dim() != 1 or z.numel() % math.prod(image.size):
                    raise DocumentError(f"the latents of {image.name} are not of its size")
        except (OSError, DocumentError, ImageError, KeyError) as error:
            raise LatentError(
                f"{path} is not a file of latents that flowzoo encode wrote ({error})."
            ) from error
        return cls(about["model"], about["sha256"], images, latents)

    def check_model(self, flow: Flow) -> None:
        """Raise LatentError unless this is the flow that encoded."""
        if not is_identity(self.sha256, flow):
            raise LatentError(
                f"these latents are of {self.model}, {self.sha256[:12]}…; the model given has "
                f"other weights or another configuration, {identity(flow)[:12]}…. Decode with the "
                "model that encoded them."
            )
