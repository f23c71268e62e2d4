"""Values that depend on weights only, computed once per version of the weights."""

import itertools
import threading
import weakref
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.optim.optimizer import register_optimizer_step_post_hook

from zoo.bijections.base import Bijection

T = TypeVar("T")


# Fused optimisers change weights without counting it.
_optimizer_steps = itertools.count()
_last_step = next(_optimizer_steps)


def _count_step(*_: object) -> None:
    global _last_step
    _last_step = next(_optimizer_steps)


register_optimizer_step_post_hook(_count_step)


class _Version:
    """A weight at one of its versions."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weakref.ref(weight)  # another one may come to lie at its address
        self.state = self._state(weight)

    @staticmethod
    def _state(weight: Tensor) -> tuple[int, int, int]:
        # Inference tensors keep no version counter, and nothing may change them in place.
        count = -1 if weight.is_inference() else weight._version
        return weight.data_ptr(), count, _last_step

    def is_of(self, weight: Tensor) -> bool:
        return self.weight() is weight and self.state == self._state(weight)


def in_graph() -> bool:
    """Whether this becomes part of a graph: of autograd, a compiler or a transform."""
    return torch.is_grad_enabled() or in_transform()


def in_transform() -> bool:
    """Whether a compiler or a transform of `torch.func` looks at this, which has no values yet."""
    return (
        torch.compiler.is_compiling()
        or torch._C._functorch.maybe_current_level() is not None
        or forward_ad._current_level >= 0
    )


_keepers = threading.local()


@contextmanager
def keeping() -> Iterator[list[Any]]:
    """Collect what caches give meanwhile, on this thread: a CUDA graph reads it ever after."""
    values: list[Any] = []
    _keepers.values = values
    try:
        yield values
    finally:
        del _keepers.values


def kept(value: T) -> T:
    """The value, which is from a cache that may drop it."""
    getattr(_keepers, "values", []).append(value)
    return value


class WeightCache(nn.Module):
    """Remembers the values computed from a set of weights until one of the weights changes.

    Nothing is remembered in training, nor where the value becomes part of a graph: that of
    autograd, a compiler or a transform of `torch.func`.

    State dicts, pickles and deep copies do not carry the values. In-place updates, steps of any
    optimiser of torch, `load_state_dict` and moves of device or dtype are noticed by the version
    counter and address of each weight; writes through `.data` are not, so a change between training
    and evaluation mode, which reaches every submodule and hence this one, forgets everything too.

    Args:
        max_entries: Number of values kept (one per key, e.g. per map size), oldest dropped first.
    """

    def __init__(self, max_entries: int = 4) -> None:
        super().__init__()
        self.max_entries = max_entries
        self._versions: list[_Version] = []
        self._values: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, weights: Iterable[Tensor], compute: Callable[[], T]) -> T:
        """Return the value for this key and these weights, computing it at most once."""
        if self.training or in_graph():
            return compute()
        with self._lock:
            self._forget_unless_of(list(weights))
            if key not in self._values:
                while len(self._values) >= self.max_entries:
                    del self._values[next(iter(self._values))]
                self._values[key] = compute()
            value: T = self._values[key]
            return kept(value)

    def _forget_unless_of(self, weights: list[Tensor]) -> None:
        known = self._versions
        same = len(known) == len(weights) and all(map(_Version.is_of, known, weights))
        if not same:
            self._versions, self._values = list(map(_Version, weights)), {}

    def train(self, mode: bool = True) -> "WeightCache":
        with self._lock:
            self._versions, self._values = [], {}
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
