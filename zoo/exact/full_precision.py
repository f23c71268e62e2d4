"""float32 that is float32: no TF32 or bfloat16 inside convolutions and products.

On NVIDIA GPUs since Ampere convolutions of float32 run in TF32 by default, with 10 bits of
mantissa. `torch.set_float32_matmul_precision` does the same to products, on CPUs too. In either no
image comes back from its latents.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

_backends = torch.backends
# Each setting: its object, its name there, and the value for full precision. Not by
# torch.backends.cudnn.flags, whose other defaults switch cuDNN off.
_SETTINGS: list[tuple[Any, str, object]] = (
    [
        (getattr(backend, part), "fp32_precision", "ieee")
        for backend, part in (
            (_backends.cudnn, "conv"),
            (_backends.cuda, "matmul"),
            (_backends.mkldnn, "conv"),
            (_backends.mkldnn, "matmul"),
        )
    ]
    if hasattr(_backends.cudnn, "conv")
    else [(_backends.cudnn, "allow_tf32", False), (_backends.cuda.matmul, "allow_tf32", False)]
)


class _Guard:
    """The settings are the process's: the first thread in saves them, the last one out restores."""

    def __init__(self) -> None:
        self.lock, self.inside = threading.Lock(), 0
        self.saved: list[object] = []

    def renew_lock(self) -> None:
        """In a forked process: another thread may have held the lock."""
        self.lock = threading.Lock()


_guard = _Guard()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_guard.renew_lock)


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute float32 in float32 meanwhile, on all threads; then as before."""
    with _guard.lock:
        _guard.inside += 1
        if _guard.inside == 1:
            _guard.saved = [getattr(owner, name) for owner, name, _ in _SETTINGS]
            _set(value for _, _, value in _SETTINGS)
    try:
        yield
    finally:
        with _guard.lock:
            _guard.inside -= 1
            if _guard.inside == 0:
                _set(_guard.saved)


def _set(values: Iterable[object]) -> None:
    for (owner, name, _), value in zip(_SETTINGS, values, strict=True):
        setattr(owner, name, value)
