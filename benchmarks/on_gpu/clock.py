"""Milliseconds of calls: launched one by one, and replayed as CUDA graphs."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from zoo.flow.graphs import record


def milliseconds(call: Callable[[], Any], seconds: float = 0.05) -> float:
    """Median time of a call on the GPU, by events; of a single call on the CPU.

    Args:
        call: Call to time.
        seconds: Time to repeat it for.
    """
    once = _wall(call)
    if not torch.cuda.is_available():
        return once
    once = min(once, _wall(call))
    repeats = int(max(3, min(50, 1000 * seconds / max(once, 1e-3))))
    pairs = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for first, last in pairs:
        first.record()
        call()
        last.record()
    torch.cuda.synchronize()
    return statistics.median(first.elapsed_time(last) for first, last in pairs)


def captured_milliseconds(function: Callable[[Tensor], Any], x: Tensor) -> float | None:
    """The same of a replay of function(x), a tensor or several; None if it cannot be captured."""
    if not x.is_cuda:
        return None

    def call(x: Tensor) -> tuple[Tensor, ...]:
        result = function(x)
        return (result,) if isinstance(result, Tensor) else result

    graph = record(call, x)
    return None if graph is None else milliseconds(graph._graph.replay)


def _wall(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start)
