"""uint8 images: the check that every method makes first, fewer grey levels, and hard ones."""

import torch
from torch import Tensor

from zoo.devices import check_device
from zoo.errors import ImageError
from zoo.exact.patterns import hard_images

__all__ = ["check_continuous", "check_images", "gather_levels", "hard_images", "spread_levels"]


def check_images(images: Tensor, channels: int, divisor: int) -> None:
    """Raise ImageError unless images are uint8 (B, channels, H, W), sides multiples of divisor."""
    if _fits(images, channels, divisor) and images.dtype == torch.uint8:
        return
    wanted = f"uint8 {_shape(channels, divisor)}"
    raise ImageError(f"images must be {wanted}; got {_describe(images)}.{_advice(images)}")


def check_continuous(
    x: Tensor,
    channels: int,
    divisor: int,
    dtype: torch.dtype,
    device: torch.device,
    *,
    values: bool,
) -> None:
    """Raise ImageError unless floats (B, channels, H, W) with sides that the divisor divides.

    Args:
        x: Object to check.
        channels: C.
        divisor: Divisor of both sides.
        dtype: Type of the flow.
        device: Device of the flow.
        values: Whether all numbers must be in [0, 1] too, which a GPU has to be waited for.
    """
    wanted = f"floats {_shape(channels, divisor)}, {dtype} as the flow is"
    if not _fits(x, channels, divisor) or x.dtype != dtype:
        advice = " For uint8 images: flow.encode(images), or flow((images + 0.5) / 256)."
        raise ImageError(f"images must be {wanted}; got {_describe(x)}.{advice}")
    check_device(x, device, "images", ImageError)
    if values and not ((x >= 0) & (x <= 1)).all():
        raise ImageError(
            f"images must be {wanted}, all in [0, 1]; got {x.min():g} to {x.max():g}. "
            "For 0 to 255: (images + 0.5) / 256."
        )


def _fits(images: object, channels: int, divisor: int) -> bool:
    return (
        isinstance(images, Tensor)
        and images.dim() == 4
        and len(images) > 0
        and images.shape[1] == channels
        and all(side > 0 and side % divisor == 0 for side in images.shape[2:])
    )


def _shape(channels: int, divisor: int) -> str:
    return f"of shape (B, {channels}, H, W) with H and W divisible by {divisor}"


def spread_levels(images: Tensor, levels: int | None) -> Tensor:
    """uint8 images of values 0 .. levels - 1 in 256 grey levels: the centre of each one's bin.

    None stands for images that hold 0 .. 255: they stay as they are.

    Raises:
        ImageError: If the images hold other values.
    """
    if levels is None:
        return images
    if not isinstance(levels, int) or not 2 <= levels <= 256 or int(images.max()) >= levels:
        raise ImageError(
            f"grey_levels is {levels}, and the images hold values up to {int(images.max())}. It "
            "must be more than that, and between 2 and 256."
        )
    return ((2 * images.int() + 1) * 128 // levels).to(torch.uint8)


def gather_levels(images: Tensor, levels: int | None) -> Tensor:
    """Inverse of `spread_levels`."""
    if levels is None:
        return images
    return ((2 * images.int() * levels + 255) // 512).to(torch.uint8)


def _describe(images: object) -> str:
    if not isinstance(images, Tensor):
        return type(images).__name__
    return f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"


def _advice(images: object) -> str:
    if hasattr(images, "__array_interface__"):
        return (
            " For a NumPy array or a PIL image: torch.from_numpy(numpy.array(image)), and then "
            "channels first."
        )
    if isinstance(images, list | tuple):
        return " For a list of images of one size: torch.stack(images)."
    if not isinstance(images, Tensor):
        return " For a PIL image: torchvision.transforms.functional.pil_to_tensor(image)[None]."
    if images.is_floating_point():
        return " For floats in [0, 1]: (x * 255).round().to(torch.uint8)."
    if images.dim() == 3:
        return " For one image: images[None]."
    return ""
