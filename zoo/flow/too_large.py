"""Memory of a flow's two directions: looked at before it is taken."""

import torch
from torch import Tensor

from zoo.devices import free_memory
from zoo.errors import TooLargeError

# Copies of the images that a flow holds at most, at the sizes that matter, beside its bands.
COPIES, BANDS = 20, 2**29
SMALL = 2**26


def check_memory(x: Tensor) -> None:
    """Raise TooLargeError if mapping images or latents (B, ...) would take more than is free."""
    taken, images = x.numel() * x.element_size(), len(x)
    if taken < SMALL or (free := free_memory(x.device)) is None:
        return
    needed = COPIES * taken + BANDS
    if needed > free:
        fewer = "Take fewer images at a time" if images > 1 else "Cut it into smaller ones"
        raise TooLargeError(
            f"{images} image{'s' * (images > 1)} of {x[0].numel():,} numbers would take about "
            f"{needed / 1e9:.1f} GB in {_name(x.dtype)}, and {free / 1e9:.1f} GB of memory are "
            f"free on {x.device}. {fewer}, or free some memory."
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
