"""CUDA graphs of a flow's two directions: one launch for the hundreds of a call.

A graph reads and writes the memory that it was recorded with. It is of one shape and one version
of the weights, keeps what it reads from caches alive, and its results are copied out.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from zoo.bijections.cache import keeping
from zoo.solvers.launches import captured_launches

Function = Callable[[Tensor], tuple[Tensor, ...]]


class Replay:
    """A function of a tensor of one shape: called as it is at first, then as a graph.

    What waits for the GPU cannot be in a graph: such a function stays as it is.

    Args:
        function: Function to call; it may not depend on anything that changes.
    """

    def __init__(self, function: Function) -> None:
        self.function, self._calls = function, 0
        self._graph: Function | None = None
        self._lock = threading.Lock()

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        with self._lock:
            self._calls += 1
            if self._calls == 2:  # caches are warm, and the shape has come back
                self._graph = record(self.function, x)
            if self._graph is not None:
                return self._graph(x)
            with captured_launches(self._calls == 1):
                return self.function(x)


class Graph:
    """A recorded call.

    Args:
        function: Function to record.
        x: Its argument.
    """

    def __init__(self, function: Function, x: Tensor) -> None:
        self._input, self._graph = x.clone(), torch.cuda.CUDAGraph()
        # Other threads may reserve memory meanwhile.
        capture = torch.cuda.graph(self._graph, capture_error_mode="thread_local")
        with keeping() as self._kept, capture:
            self._results = function(self._input)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        self._input.copy_(x)
        self._graph.replay()
        return tuple(result.clone() for result in self._results)


def recordable(x: Tensor) -> bool:
    """Whether a call on x may be recorded: float32 on a GPU, and no recording under way."""
    return x.is_cuda and x.dtype == torch.float32 and not torch.cuda.is_current_stream_capturing()


def record(function: Function, x: Tensor) -> Graph | None:
    """A graph of a call; None if the call waits for the GPU, or the memory is not enough."""
    stream = torch.cuda.Stream(x.device)
    stream.wait_stream(torch.cuda.current_stream(x.device))
    try:
        with values_only(), captured_launches(), no_questions():
            with torch.cuda.stream(stream):  # libraries reserve their memory in the first call
                function(x)
            torch.cuda.current_stream(x.device).wait_stream(stream)
            return Graph(function, x)
    except RuntimeError:
        return None


@contextmanager
def values_only() -> Iterator[None]:
    """Neither gradients nor inference mode, whose tensors a later call could not use."""
    # In this order: leaving inference mode switches gradients on.
    with torch.inference_mode(False), torch.no_grad():
        yield


@contextmanager
def no_questions() -> Iterator[None]:
    """Make it a RuntimeError to wait for the GPU."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
