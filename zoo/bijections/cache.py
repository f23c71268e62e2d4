"""Values that depend on weights only, computed once per version of the weights."""

import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from zoo.bijections.base import Bijection

T = TypeVar("T")


def _version(tensor: Tensor) -> tuple[int, int]:
    # Inference tensors keep no version counter, and nothing may change them in place.
    return tensor.data_ptr(), -1 if tensor.is_inference() else tensor._version


def in_graph() -> bool:
    """Whether what is computed now becomes part of a graph, of autograd or of a compiler."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling()


class WeightCache(nn.Module):
    """Remembers the values computed from a set of weights until one of the weights changes.

    Nothing is remembered in training, nor where the value becomes part of a graph, that of
    autograd or of a compiler.

    State dicts, pickles and deep copies do not carry the values. In-place updates,
    `load_state_dict` and moves of device or dtype are noticed by the version counter and address
    of each weight; writes through `.data` are not, so a change between training and evaluation
    mode, which reaches every submodule and hence this one, forgets everything too.

    Args:
        max_entries: Number of values kept (one per key, e.g. per map size), oldest dropped first.
    """

    def __init__(self, max_entries: int = 4) -> None:
        super().__init__()
        self.max_entries = max_entries
        self._versions: tuple[object, ...] = ()
        self._values: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, weights: Iterable[Tensor], compute: Callable[[], T]) -> T:
        """Return the value for this key and these weights, computing it at most once."""
        if self.training or in_graph():
            return compute()
        with self._lock:
            versions = tuple(map(_version, weights))
            if versions != self._versions:
                self._versions, self._values = versions, {}
            if key not in self._values:
                while len(self._values) >= self.max_entries:
                    del self._values[next(iter(self._values))]
                self._values[key] = compute()
            value: T = self._values[key]
            return value

    def train(self, mode: bool = True) -> "WeightCache":
        with self._lock:
            self._versions, self._values = (), {}
        return super().train(mode)

    def __reduce__(self) -> tuple[type["WeightCache"], tuple[int], dict[str, bool]]:
        return WeightCache, (self.max_entries,), {"training": self.training}


class CachedBijection(Bijection):
    """A bijection that remembers what depends on its own weights only, such as matrices."""

    def __init__(self) -> None:
        super().__init__()
        self._cache = WeightCache(max_entries=8)

    def cached(
        self, key: Hashable, compute: Callable[[], T], cache: WeightCache | None = None
    ) -> T:
        """The value of this key for the current weights, from the layer's or another cache."""
        weights = (*self._parameters.values(), *self._buffers.values())
        present = (weight for weight in weights if weight is not None)
        return (cache or self._cache).get(key, present, compute)
