"""Whether a solve is launched call by call, or recorded in a CUDA graph."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

_launches = threading.local()


@contextmanager
def captured_launches(on: bool = True) -> Iterator[None]:
    """Choose plans for a CUDA graph on this thread: its launches cost a tenth."""
    before = getattr(_launches, "captured", False)
    _launches.captured = on
    try:
        yield
    finally:
        _launches.captured = before


def kind_of_device(x: Tensor) -> str:
    """The device of a `Shape`: "captured" on a GPU within `captured_launches`."""
    captured = x.is_cuda and getattr(_launches, "captured", False)
    return "captured" if captured else x.device.type
