"""A GPU that is not there: flows on fake CUDA tensors, and what they would ask of a real one.

Fake tensors have shapes, types and a device, but no numbers. Every operation on tensors of two
devices fails as it would on a GPU. A question about their numbers is answered as if all were well:
everything is finite, in range, and comes back in float32.
"""

import contextlib
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zoo.bijections import cache, dct, kernels
from zoo.solvers.choice import has_sweep

# Operations that only look at tensors, or reserve memory.
FREE = {
    *("_local_scalar_dense", "_reshape_alias", "_unsafe_view", "detach", "empty", "empty_like"),
    *("empty_strided", "is_pinned", "is_same_size", "lift_fresh", "new_empty", "new_empty_strided"),
    *("resize_", "set_"),
}
# Their results have as many rows as some numbers are true, which the host has to know.
COUNTED = {"_unique2", "masked_select", "nonzero", "unique2"}
# Tensors that a kernel for lists of them takes at a time, by the number of lists.
AT_ONCE = {1: 110, 2: 64, 3: 48, 4: 36}


class Watch(TorchDispatchMode):
    """Counts what a call launches, waits for and copies.

    Attributes:
        launches: Kernels, by operation. Of cuBLAS, cuDNN and cuSOLVER about what they launch.
        waits: Synchronisations: the host asks for numbers; by the lines of code that ask.
        copies: From the host to the device, by the lines of code.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self._anys: list[Tensor] = []
        self.reset()

    def reset(self) -> None:
        """Count from 0 again."""
        self.launches: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        namespace, _, name = function._schema.name.partition("::")
        if namespace == "prim":
            return function(*args, **kwargs)
        if name == "_local_scalar_dense":
            return self._answer(args[0])
        result = function(*args, **kwargs)
        given = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        made = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        if name == "any":
            self._anys += made
        if name in ("_to_copy", "copy_") and made:
            self._copied(given[-1 if name == "copy_" else 0], made[0])
        if name in COUNTED or (name.startswith("index") and _by_mask(given)):
            self.waits[f"{name} at {_place()}"] += 1
        if not function.is_view and name not in FREE and self._here([*given, *made]):
            self.launches[name] += _kernels(name, args)
        return result

    def _answer(self, number: Tensor) -> bool | int | float:
        if number.device.type == self.device:
            self.waits[_place()] += 1
        if number.dtype == torch.bool:
            return not any(number is some for some in self._anys)
        return 0.5 if number.dtype.is_floating_point else 1

    def _copied(self, source: Tensor, target: Tensor) -> None:
        if self._here([source]) != self._here([target]):
            (self.copies if self._here([target]) else self.waits)[_place()] += 1

    def _here(self, tensors: list[Tensor]) -> bool:
        return any(tensor.device.type == self.device for tensor in tensors)


def _by_mask(given: list[Tensor]) -> bool:
    return any(tensor.dtype == torch.bool for tensor in given[1:])


def _kernels(name: str, args: Any) -> int:
    """Number of kernels that an operation launches."""
    if name == "convolution":  # cuDNN adds the bias apart
        return 1 + (args[2] is not None)
    if name == "convolution_backward":
        return sum(map(bool, args[-1]))
    if name.startswith(("_foreach_", "_fused_")):
        lists = [part for part in args if isinstance(part, list)]
        return -(-len(lists[0]) // AT_ONCE.get(len(lists), 30))
    if name in ("_fft_r2c", "_fft_c2r", "_fft_c2c"):
        return max(1, len(args[1]))
    return 3 if "linalg" in name and "norm" not in name else 1


def _place(depth: int = 2) -> str:
    """The innermost lines of code of zoo/ that this comes from."""
    frames = [f for f in traceback.extract_stack() if "/zoo/" in f.filename]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-depth:]))


@contextlib.contextmanager
def fake_gpu(module: nn.Module, device: str = "cuda") -> Iterator[Watch]:
    """Move a module to a fake device, and watch what is done meanwhile.

    Args:
        module: Its weights are gone for good.
        device: "cuda"; "meta" for backward passes, which torch refuses on a GPU that is not there.
    """
    with contextlib.ExitStack() as stack:
        _forget_constants()
        stack.callback(_forget_constants)
        # Fake tensors have no address.
        state = staticmethod(lambda weight: (id(weight), weight._version, cache._last_write))
        stack.enter_context(patch.object(cache._Version, "_state", state))
        stack.enter_context(patch.object(Tensor, "__deepcopy__", _copy))
        stack.enter_context(patch.object(nn.Module, "to", _to))
        stack.enter_context(patch("torch.nn.utils.clip_grad._has_foreach_support", lambda *_: True))
        stack.enter_context(patch("torch.cuda.is_current_stream_capturing", bool))
        stack.enter_context(patch("torch.cuda.amp.common.amp_definitely_not_available", bool))
        if device == "meta":  # without autocast
            stack.enter_context(patch("torch.autocast", lambda *_, **__: contextlib.nullcontext()))
        mode = stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        _move(module, mode, device)
        watch = Watch(device)
        if has_sweep("cuda"):
            launch = patch("zoo.solvers.sweep.launch", lambda *_: watch.launches.update(sweep=1))
            stack.enter_context(launch)
        yield stack.enter_context(watch)


def _forget_constants() -> None:
    """Constants made on a fake device are fake, and those of before are real."""
    for function in (dct._matrix, kernels._bases, kernels._multiplicity):
        function.cache_clear()


def _move(module: nn.Module, mode: FakeTensorMode, device: str) -> None:
    made: dict[Tensor, Tensor] = {}

    def fake(tensor: Tensor) -> Tensor:
        if tensor not in made:
            made[tensor] = _like(tensor, mode.from_tensor(tensor.detach()).to(device))
        return made[tensor]

    _replace(module, fake)


def _replace(module: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    for part in module.modules():
        for table in (part._parameters, part._buffers):
            table.update({name: change(t) for name, t in table.items() if t is not None})


def _like(tensor: Tensor, made: Tensor) -> Tensor:
    """A parameter, if the first one is."""
    return nn.Parameter(made, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else made


# Steps that torch takes for real tensors only.


def _copy(tensor: Tensor, _: object) -> Tensor:
    return _like(tensor, tensor.detach().clone())


def _to(module: nn.Module, *where: torch.dtype | torch.device) -> nn.Module:
    def moved(tensor: Tensor) -> Tensor:
        floats = tensor.is_floating_point()
        asked = [to for to in where if floats or not isinstance(to, torch.dtype)]
        return _like(tensor, tensor.detach().to(*asked)) if asked else tensor

    _replace(module, moved)
    return module
