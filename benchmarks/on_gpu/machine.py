"""The machine, and what a launch, a copy and a product take on it."""

import platform
from collections.abc import Iterator
from importlib.util import find_spec

import torch

from benchmarks.on_gpu.clock import captured_milliseconds, milliseconds
from benchmarks.on_gpu.report import Row, Setup
from zoo.exact.full_precision import full_precision

LAUNCHES = 100


def machine(setup: Setup) -> Iterator[Row]:
    """One row: versions and speeds."""
    side = 64 if setup.tiny else 4096
    a = torch.randn(side, side, device=setup.device)
    b, small = torch.empty_like(a), torch.zeros(1, device=setup.device)

    def launches(x: torch.Tensor) -> torch.Tensor:
        for _ in range(LAUNCHES):
            x = x + 1
        return x

    with full_precision():
        product = milliseconds(lambda: a @ a)
    double = a[: side // 2, : side // 2].double()
    captured = captured_milliseconds(launches, small)
    yield {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "triton": find_spec("triton") is not None,
        "device": torch.cuda.get_device_name() if a.is_cuda else platform.machine(),
        "copy TB/s": 2 * a.numel() * 4 / milliseconds(lambda: b.copy_(a)) / 1e9,
        "float32 TFLOP/s": 2 * side**3 / product / 1e9,
        "float64 TFLOP/s": side**3 / 4 / milliseconds(lambda: double @ double) / 1e9,
        "launch us": 1000 * milliseconds(lambda: launches(small)) / LAUNCHES,
        "captured launch us": None if captured is None else 1000 * captured / LAUNCHES,
        "question us": 1000 * milliseconds(lambda: bool(small == 0)),
    }
