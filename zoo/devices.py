"""Devices of tensors: by name, and one error for a tensor that is elsewhere."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from zoo.errors import ArgumentError, FlowzooError

MEMORY, GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


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


def draw_normal(shape: Sequence[int], generator: torch.Generator | None, like: Tensor) -> Tensor:
    """Standard normal numbers of a tensor's type, drawn where the generator is, on its device."""
    device = device_of(generator, like.device)
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=device).to(like.device)


def synchronize() -> None:
    """Wait until the accelerator has done what it was given, if there is one: before a clock."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where neither CUDA nor Linux says."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type != "cpu" or not MEMORY.is_file():
        return None
    free = 1024 * _entries(MEMORY)["MemAvailable:"]
    try:  # a container has less than the machine
        used = int((GROUP / "memory.current").read_text())
        files = _entries(GROUP / "memory.stat")["inactive_file"]
        return min(free, int((GROUP / "memory.max").read_text()) - used + files)
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def _entries(path: Path) -> dict[str, int]:
    """The numbers of a file of lines that begin with a name and a number."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {name: int(number) for name, number, *_ in lines}
