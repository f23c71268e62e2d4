"""Golden tensors: images with their latents and likelihoods, to recognise a model by."""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from zoo.documents import DocumentError, read_tensors
from zoo.errors import NotInvertibleError, WeightsError
from zoo.exact.patterns import hard_kinds
from zoo.exact.round_trip import precision
from zoo.files import write_atomically
from zoo.flow import Flow

HARD = 8
DO_NOT_PUBLISH = "Do not publish these weights: train again with bounded couplings and taps."


@dataclass(frozen=True)
class Golden:
    """Golden tensors, which a flow must reproduce.

    Attributes:
        images: uint8 (N, C, H, W): some of the data set's test images, if they may be
            redistributed, then patterns and noise.
        latents: (N, D) float64.
        log_density: (N,) float64, of the bin centres under the continuous flow.
        natural: Number of images that are of the data set, or other natural pictures.
    """

    images: Tensor
    latents: Tensor
    log_density: Tensor
    natural: int

    def save(self, path: Path) -> None:
        """Write the file golden.safetensors to a path, atomically."""
        natural = torch.tensor(self.natural)
        write_atomically(path, save({**vars(self), "natural": natural}))

    @classmethod
    def load(cls, path: Path) -> "Golden":
        """Read the file golden.safetensors at a path."""
        try:
            tensors, _ = read_tensors(path)
            found = cls(**{**tensors, "natural": int(tensors["natural"])})  # type: ignore[arg-type]
            found._check_shapes()
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise WeightsError(f"{path} is missing or damaged ({error!r}).") from error
        return found

    def _check_shapes(self) -> None:
        count = len(self.images)
        wanted = ((torch.uint8, 4), (torch.float64, 2), (torch.float64, 1))
        tensors = (self.images, self.latents, self.log_density)
        if (
            not count
            or tuple((tensor.dtype, tensor.dim()) for tensor in tensors) != wanted
            or {len(tensor) for tensor in tensors} != {count}
            or not 0 <= self.natural <= count
        ):
            raise DocumentError("tensors of other types or shapes")

    @torch.no_grad()
    def check(self, flow: Flow) -> None:
        """Raise unless the flow reproduces these tensors and gives every image back.

        Raises:
            WeightsError: If latents, log-densities or decoded images differ.
            ImageError: If the images are of another kind than the flow's.
            NotInvertibleError: If an image does not come back in float64 without being kept.
        """
        images = self.images.to(flow.device)
        z = flow.encode(images)
        if lost := precision(z)["kept"]:
            raise NotInvertibleError(
                f"{lost} of {len(z)} images do not come back from their latents in float64 without "
                f"their pixels kept. {DO_NOT_PUBLISH}"
            )
        size = (self.images.shape[2], self.images.shape[3])
        latents, log_density = density(flow, self.images)
        same = (
            torch.equal(flow.decode(z, size), images)
            and latents.shape == self.latents.shape
            and torch.allclose(latents, self.latents, atol=1e-6, rtol=1e-6)
            and torch.allclose(log_density, self.log_density, atol=1e-4, rtol=1e-9)
            and torch.equal(flow.decode(self.latents.to(flow.device), size), images)
        )
        if not same:
            raise WeightsError(
                "the flow does not reproduce golden.safetensors: these are another flow's weights "
                "or files. Export it again."
            )


@torch.no_grad()
def make_golden(flow: Flow, natural: Tensor | None = None) -> Golden:
    """Golden tensors of a flow, from natural images (N, C, H, W), if any, and hard ones."""
    kinds = hard_kinds(flow.config.channels, flow.config.size)
    hard = torch.cat([*(images[:1] for images in kinds.values()), kinds["noise"][1:]])[:HARD]
    images = hard if natural is None else torch.cat([natural, hard])
    return Golden(images, *density(flow, images), 0 if natural is None else len(natural))


@torch.no_grad()
def density(flow: Flow, images: Tensor) -> tuple[Tensor, Tensor]:
    """Latents (N, D) and log-density (N,) of the bin centres, in float64 on the CPU."""
    model = flow.at(torch.float64)
    images = images.to(flow.device)
    return model.encode_centres(images).cpu(), model.log_prob(images, noise=0.5).cpu()
