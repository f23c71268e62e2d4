"""Values that depend on weights only, computed once per version of the weights."""

import itertools
import os
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
from zoo.errors import WeightsError

T = TypeVar("T")
DEFERRED = ("cuda",)
# Integers as wide as an element: their comparison is exact, of NaN too, and on the CPU many times
# faster than that of single bytes.
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


# Fused optimisers change weights without counting it, and so do writes through `.data`.
_writes = itertools.count()
_last_write = next(_writes)


def _count_write(*_: object) -> None:
    global _last_write
    _last_write = next(_writes)


register_optimizer_step_post_hook(_count_write)


class _Version:
    """A weight at one of its versions."""

    def __init__(self, weight: Tensor) -> None:
        self.weight = weakref.ref(weight)  # another one may come to lie at its address
        self.state = self._state(weight)

    @staticmethod
    def _state(weight: Tensor) -> tuple[int, int, int]:
        # Inference tensors keep no version counter, and nothing may change them in place.
        count = -1 if weight.is_inference() else weight._version
        return weight.data_ptr(), count, _last_write

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


# A thread may hold a lock while another forks: in the new process nobody would open it again.
_remembering: "weakref.WeakSet[WeightCache | Watch]" = weakref.WeakSet()


def _start_anew() -> None:
    for each in list(_remembering):
        each.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)


class WeightCache(nn.Module):
    """Remembers the values computed from a set of weights until one of the weights changes.

    Nothing is remembered in training, nor where the value becomes part of a graph: that of
    autograd, a compiler or a transform of `torch.func`.

    State dicts, pickles and deep copies do not carry the values. In-place updates, steps of any
    optimiser of torch, `load_state_dict` and moves of device or dtype are noticed by the version
    counter and address of each weight. Writes that do not count, such as those through `.data`, are
    noticed by the `Watch` of the flow that the weights are of. A change between training and
    evaluation mode, which reaches every submodule and hence this one, forgets everything too.

    Args:
        max_entries: Number of values kept (one per key, e.g. per map size), oldest dropped first.
    """

    def __init__(self, max_entries: int = 4) -> None:
        super().__init__()
        self.max_entries = max_entries
        self.start_anew()
        _remembering.add(self)

    def start_anew(self) -> None:
        """Forget everything, whoever holds the lock."""
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


class ChangedError(WeightsError):
    """Weights that changed without a count of it, and results that may be of the former ones."""


class Watch:
    """Notices every change of a flow's weights, by a copy of their bytes, and has caches forget.

    On a GPU the comparison is not waited for: `agree` asks for it, with what the call asks anyway.
    Deep copies and pickles start anew.
    """

    def __init__(self) -> None:
        self.start_anew()
        _remembering.add(self)

    def start_anew(self) -> None:
        """Forget the copy, whoever holds the lock."""
        self._known: dict[Hashable, Tensor] = {}
        self._pending = threading.local()  # of each thread: whether nothing has changed
        self._lock = threading.Lock()

    def begin(self, flow: nn.Module) -> None:
        """Take a copy if there is none, before anything is remembered that it would forget."""
        if not self._known:
            self.check(flow)

    def check(self, flow: nn.Module, *, wait: bool = True) -> None:
        """Compare the weights with those of the last call, where anything is remembered of them.

        Args:
            flow: The flow.
            wait: Whether a GPU is waited for; else `agree` must follow in this thread.
        """
        device = next(flow.parameters()).device
        if flow.training or in_graph() or device.type == "meta" or _recording(device):
            return
        with self._lock:
            found, known = _content(weights_of(flow)), self._known
            if found.keys() == known.keys():
                same = [_same(found[key], known[key]) for key in found]
                if deferred(device) and not wait:
                    return self._defer(same)
                if torch.stack(same).all():
                    return
            _count_write()  # first: other threads go on as soon as the copy is right
            self._known = found

    def _defer(self, same: list[Tensor]) -> None:
        before = getattr(self._pending, "same", None)
        if before is not None and before.device == same[0].device:
            same = [*same, before]
        self._pending.same = torch.stack(same).all()

    def agree(self, right: Tensor) -> bool:
        """Whether all of (B,) are right, and all results of the weights as they are: one question.

        Raises:
            ChangedError: If the weights have changed. Computed again, the results are right.
        """
        same, self._pending.same = getattr(self._pending, "same", None), None
        if same is None:
            return bool(right.all())
        if right.all() & same:
            return True
        if same:
            return False
        with self._lock:
            _count_write()
            self._known = {}
        raise ChangedError(
            "the weights change while they are used. Wait until whatever writes them is done."
        )

    def __reduce__(self) -> tuple[type["Watch"], tuple[()]]:
        return Watch, ()


def again_if_changed(call: Callable[[], T]) -> T:
    """The result of a call that asks `Watch.agree`, of the weights as they are."""
    try:
        return call()
    except ChangedError:
        return call()


def deferred(device: torch.device) -> bool:
    """Whether comparisons of weights on a device are not waited for."""
    return device.type in DEFERRED


def _same(a: Tensor, b: Tensor) -> Tensor:
    # On the CPU many times faster, and anywhere else a wait.
    if a.device.type == "cpu":
        return torch.tensor(torch.equal(a, b), device=a.device)
    return (a == b).all()


def _recording(device: torch.device) -> bool:
    begun = device.type == "cuda" and torch.cuda.is_initialized()
    return begun and torch.cuda.is_current_stream_capturing()


def weights_of(module: nn.Module) -> list[Tensor]:
    """All parameters and buffers, in a fifth of the time that torch takes to name them as well."""
    found: list[Tensor | None] = []
    parts: list[nn.Module | None] = [module]
    while parts:
        if (part := parts.pop()) is not None:  # an empty list of modules is false
            parts += part._modules.values()
            found += (*part._parameters.values(), *part._buffers.values())
    return [weight for weight in found if weight is not None]


def _content(weights: Iterable[Tensor]) -> dict[Hashable, Tensor]:
    """The bits of weights, one tensor of each dtype and device: a GPU is waited for once."""
    flat: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
    for weight in weights:
        flat.setdefault((weight.dtype, weight.device), []).append(weight.reshape(-1))
    joined = {key: torch.cat(parts) for key, parts in flat.items()}
    return {(*key, len(x)): x.view(BITS[min(8, x.element_size())]) for key, x in joined.items()}


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
