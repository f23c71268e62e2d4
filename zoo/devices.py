"""Devices of tensors: by name, and one error for a tensor that is elsewhere."""

import torch
from torch import Tensor

from zoo.errors import ArgumentError, FlowzooError


def find_device(name: str | torch.device) -> torch.device:
    """The device of a name such as "cpu", "cuda" or "cuda:1"; "auto" is a GPU if there is one.

    Raises:
        ArgumentError: If torch knows no such device, or cannot use it here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ArgumentError(f"device {name} is not usable here: {reason}. Use cpu.") from error


def check_device(x: Tensor, device: torch.device, name: str, error: type[FlowzooError]) -> None:
    """Raise an error unless a tensor, called `name`, is where the flow is."""
    if x.device != device:
        raise error(f"{name} must be where the flow is, on {device}; got {x.device}. Use .to().")


def device_of(generator: torch.Generator | None, default: torch.device) -> torch.device:
    """Device that a generator draws on: its own, so that a seed means the same on all."""
    return default if generator is None else generator.device


def synchronize() -> None:
    """Wait until the accelerator has done what it was given, if there is one: before a clock."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
