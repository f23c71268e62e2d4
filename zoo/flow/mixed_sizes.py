"""Images of any size, as they come: to latents that know their sizes, and back."""

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from zoo.config import FlowConfig
from zoo.errors import ImageError, LatentError

Key = TypeVar("Key", bound=Hashable)
Size = tuple[int, int]
MODES = {1: "L", 3: "RGB"}
# Pixels that are mapped at a time.
PIXELS = 2**20


class Encoded(NamedTuple):
    """Latents of one image, and what it takes to decode them.

    Attributes:
        z: (D,).
        size: (H, W) that was encoded: the image's, padded with black to what the flow takes.
        image_size: (h, w) of the image, which lies in the middle.
    """

    z: Tensor
    size: Size
    image_size: Size


def padded_size(size: Size, config: FlowConfig) -> Size:
    """The size to pad an image to: the training images', or beyond it the next that fits."""
    if all(side <= own for side, own in zip(size, config.size, strict=True)):
        return config.size
    divisor = 2**config.levels
    height, width = (math.ceil(side / divisor) * divisor for side in size)
    return height, width


def offset(size: Size, padded: Size) -> Size:
    """(top, left) of an image in the middle of a padded one."""
    return (padded[0] - size[0]) // 2, (padded[1] - size[1]) // 2


def encode_all(
    config: FlowConfig, encode: Callable[[Tensor], Tensor], images: Any
) -> list[Encoded]:
    """Encode images of mixed sizes, those of one padded size together.

    Args:
        config: Configuration of the flow.
        encode: Maps uint8 (B, C, H, W) to latents (B, D).
        images: A list of uint8 tensors (C, h, w), NumPy arrays (h, w) or (h, w, C) and PIL images;
            or one of the last two.

    Raises:
        ImageError: If one of them is of another kind; says what to do.
    """
    several = list(images) if isinstance(images, list | tuple) else [images]
    pixels = [_pixels(image, config.channels) for image in several]
    sizes = [padded_size(_hw(image), config) for image in pixels]
    found: dict[int, Tensor] = {}
    for batch in equal_parts(sizes, lambda size: PIXELS // math.prod(size)):
        stack = torch.stack([_pad(pixels[i], sizes[i]) for i in batch])
        found.update(zip(batch, encode(stack), strict=True))
    return [
        Encoded(found[i], size, _hw(image))
        for i, (image, size) in enumerate(zip(pixels, sizes, strict=True))
    ]


def decode_all(
    decode: Callable[[Tensor, Size], Tensor], latents: Sequence[Encoded]
) -> list[Tensor]:
    """The images of `encode_all`, uint8 (C, h, w) each, without their padding."""
    if not all(isinstance(each, Encoded) for each in latents):
        raise LatentError(
            "a list of latents must be what encode made of a list of images: flow.decode(latents), "
            "or flow.decode([latents[0]]) for one."
        )
    return [_cut(decode(z[None], size)[0], image) for z, size, image in latents]


def equal_parts(keys: Sequence[Key], most: Callable[[Key], int]) -> list[list[int]]:
    """Indices of equal keys, in parts of at least one and at most `most` of the key."""
    groups: dict[Key, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    return [
        group[start : start + step]
        for key, group in groups.items()
        for step in [max(1, most(key))]
        for start in range(0, len(group), step)
    ]


def _pixels(image: Any, channels: int) -> Tensor:
    """An image of any kind as uint8 (C, h, w)."""
    if not isinstance(image, Tensor) and hasattr(image, "__array_interface__"):
        image = _from_array(image, channels)
    if (
        not isinstance(image, Tensor)
        or image.dtype != torch.uint8
        or image.dim() != 3
        or image.shape[0] != channels
        or image.numel() == 0
    ):
        tensor = isinstance(image, Tensor)
        kind = f"{image.dtype} {tuple(image.shape)}" if tensor else type(image).__name__
        raise ImageError(
            f"images of a list must be uint8 tensors ({channels}, h, w), NumPy arrays "
            f"(h, w, {channels}) or PIL images; got {kind}. A batch (B, {channels}, H, W) is a "
            "tensor: torch.from_numpy(array). For files: zoo.read_images(paths, flow)."
        )
    return image


def _from_array(image: Any, channels: int) -> Tensor:
    """A PIL image or a NumPy array, channels first."""
    if (mode := getattr(image, "mode", None)) is not None and mode != MODES.get(channels):
        raise ImageError(
            f"a PIL image of mode {mode} is none of {channels} channels. Convert it: "
            f'image.convert("{MODES.get(channels)}").'
        )
    array = np.array(image)  # PIL's cannot be written to
    return torch.from_numpy(array[..., None] if array.ndim == 2 else array).movedim(-1, 0)


def _pad(image: Tensor, size: Size) -> Tensor:
    (height, width), (top, left) = _hw(image), offset(_hw(image), size)
    padded = image.new_zeros(len(image), *size)
    padded[:, top : top + height, left : left + width] = image
    return padded


def _cut(image: Tensor, size: Size) -> Tensor:
    top, left = offset(size, _hw(image))
    return image[:, top : top + size[0], left : left + size[1]]


def _hw(image: Tensor) -> Size:
    return image.shape[1], image.shape[2]
