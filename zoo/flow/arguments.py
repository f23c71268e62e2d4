"""Checks of what a flow's methods are given beside images."""

import math
from collections.abc import Sequence
from numbers import Integral, Real

import torch
from torch import Tensor

from zoo.config import MOST_PIXELS
from zoo.devices import check_device
from zoo.errors import ArgumentError, ImageError, LatentError


def check_latents(z: object, dtype: torch.dtype, device: torch.device) -> None:
    """Raise LatentError unless a tensor of the flow's dtype, where the flow is."""
    if not isinstance(z, Tensor) or z.dtype != dtype:
        kind = z.dtype if isinstance(z, Tensor) else type(z).__name__
        raise LatentError(f"latents must be {dtype} (B, D) tensors, as the flow is; got {kind}.")
    check_device(z, device, "latents", LatentError)


def check_count(name: str, value: object, least: int) -> None:
    """Raise ArgumentError unless an integer of at least so much, and of 31 bits."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= int(value) < 2**31:  # type: ignore[call-overload]
        raise ArgumentError(f"{name} must be an integer of at least {least}; got {value!r}.")


def check_generator(generator: object) -> None:
    """Raise ArgumentError unless a generator of torch, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise ArgumentError(
            f"generator must be a torch.Generator; got {generator!r}. For a seed: "
            "torch.Generator().manual_seed(0)."
        )


def check_noise(noise: object, images: Tensor) -> None:
    """Raise ArgumentError unless None, a number or as many numbers as pixels, all in [0, 1)."""
    if noise is None or (isinstance(noise, Real) and 0 <= float(noise) < 1):
        return
    wanted = f"noise must be of the images' shape {tuple(images.shape)} or one number, in [0, 1)"
    if not isinstance(noise, Tensor):
        raise ArgumentError(f"{wanted}; got {noise if isinstance(noise, Real) else type(noise)}.")
    check_device(noise, images.device, "noise", ArgumentError)
    if noise.shape != images.shape:
        raise ArgumentError(f"{wanted}; got {tuple(noise.shape)}.")
    if not ((noise >= 0) & (noise < 1)).all():
        raise ArgumentError(f"{wanted}; got {noise.min():g} to {noise.max():g}.")


def temperatures(value: object, n: int, lengths: Sequence[int], like: Tensor) -> Tensor | float:
    """Standard deviations of n latents: one number, (n, 1) or (n or 1, D).

    Args:
        value: One number; n of them; or (1, L) or (n, L) of them, one for each level.
        n: Number of latents.
        lengths: How many of the D numbers of a latent are of each level.
        like: Tensor of the latents' type and device.
    """
    if isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < math.inf:
        return float(value)  # a GPU need not be waited for
    try:
        if isinstance(value, (str, bool)):
            raise TypeError
        found = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ArgumentError(f"temperature must be one number or {n}; got {value!r}.") from error
    shapes = {(), (n,), (1, len(lengths)), (n, len(lengths))}
    if tuple(found.shape) not in shapes or not ((found >= 0) & (found < math.inf)).all():
        raise ArgumentError(
            f"temperature must be 0 or more; got {value}. Give one number or {n} of them; or one "
            f"for each level, finest first, of shape (1, {len(lengths)}) or ({n}, {len(lengths)})."
        )
    if found.dim() < 2:
        return found.view(-1, 1)
    return found.repeat_interleave(torch.tensor(lengths, device=found.device), dim=1)


def check_label(
    label: object, n: int, classes: int, device: torch.device, *, values: bool = True
) -> Tensor:
    """Classes (n,) int64 from one number or n of them.

    Args:
        label: Number, sequence or tensor.
        n: Number of images.
        classes: Number of classes.
        device: Device of the result.
        values: Whether to look at them, for which a GPU must be waited for.

    Raises:
        ArgumentError: If the flow has no classes, or these are none of them.
    """
    if not classes:
        raise ArgumentError(
            "this flow has no classes, so it takes no label. One trained with model.overrides "
            "{classes: K} does."
        )
    try:
        found = torch.as_tensor(label, device=device)
        whole = not (found.is_floating_point() or found.is_complex() or found.dtype == torch.bool)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        whole = False
    if (
        not whole
        or found.shape not in ((), (n,))
        or (values and not ((found >= 0) & (found < classes)).all())
    ):
        got = f"{label.dtype} {tuple(label.shape)}" if isinstance(label, Tensor) else repr(label)
        raise ArgumentError(
            f"label must be a class from 0 to {classes - 1}, or {n} of them; got {got}."
        )
    return found.long().expand(n)


def check_size(size: object, divisor: int) -> None:
    """Raise ImageError unless (H, W), each divisible by the divisor."""
    if (
        not isinstance(size, Sequence)
        or len(size) != 2
        or any(not isinstance(side, Integral) or side < 1 or side % divisor for side in size)
    ):
        raise ImageError(f"size must be (H, W) divisible by {divisor}; got {size}.")
    if math.prod(map(int, size)) > MOST_PIXELS:
        raise ImageError(f"size must be of at most {MOST_PIXELS:,} pixels; got {size}.")
