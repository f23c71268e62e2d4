"""Latents of some images in one file, together with what is needed to decode them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from zoo.errors import LatentError
from zoo.files import write_atomically
from zoo.pictures import Fitted

KEY = "flowzoo"


@dataclass(frozen=True)
class LatentFile:
    """Content of a latents file.

    Attributes:
        model: Source of the model, as for `zoo.load`.
        sha256: Content hash of its weights.
        images: Changes that fitted each image to the model.
        latents: One vector (D,) for each image, float32 or float64.
    """

    model: str
    sha256: str
    images: Sequence[Fitted]
    latents: Sequence[Tensor]

    def save(self, path: Path) -> None:
        """Write as safetensors, atomically; everything but the latents is one JSON entry."""
        about = {
            "model": self.model,
            "sha256": self.sha256,
            "images": [image.to_dict() for image in self.images],
        }
        tensors = {str(i): z.contiguous().clone() for i, z in enumerate(self.latents)}
        write_atomically(path, save(tensors, metadata={KEY: json.dumps(about)}))

    @classmethod
    def load(cls, path: Path) -> "LatentFile":
        """Read a file of `save`.

        Raises:
            LatentError: If it is missing, damaged or another kind of file.
        """
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {})[KEY])
                images = [Fitted.from_dict(image) for image in about["images"]]
                latents = [file.get_tensor(str(i)) for i in range(len(images))]
                return cls(str(about["model"]), str(about["sha256"]), images, latents)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise LatentError(
                f"{path} is not a file of latents that flowzoo encode wrote ({error!r})."
            ) from error

    def check_model(self, sha256: str) -> None:
        """Raise LatentError unless the weights are those that encoded."""
        if sha256 != self.sha256:
            raise LatentError(
                f"these latents are of {self.model} with weights {self.sha256[:12]}…; the model "
                f"given has weights {sha256[:12]}…. Decode with the model that encoded them."
            )
