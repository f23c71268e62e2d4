"""Versions and device of a measurement."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from zoo import __version__
from zoo.flow import Flow

PACKAGES = ("torch", "safetensors", "numpy")


def versions(flow: Flow) -> dict[str, Any]:
    """Versions and device that the numbers were measured with."""
    device = flow.device
    return {
        "flowzoo": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
    }


def _commit() -> str | None:
    """The commit of the clone that runs, with -dirty if it was changed; None outside of one."""
    clone = Path(__file__).parents[2]
    if not (clone / ".git").exists():
        return None
    command = ["git", "-C", str(clone), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
