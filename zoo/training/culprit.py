"""Search for the layer that first gave a number that is not finite, once one has come up."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from zoo.errors import NonFiniteError


@torch.no_grad()
def first_in_forward(model: nn.Module, run: Callable[[], Any]) -> str | None:
    """The first layer whose result holds NaN or infinity when `run` is run again.

    Args:
        model: Model with the layers to watch.
        run: Runs the model.

    Returns:
        Its name and kind, or None if all results of layers are finite.
    """
    names = {module: name for name, module in model.named_modules() if name}
    entered: list[nn.Module] = []
    found: list[nn.Module] = []

    def leave(module: nn.Module, _: Any, result: Any) -> None:
        entered.pop()
        tensors = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not found and not all(tensor.isfinite().all() for tensor in tensors):
            found.append(module)

    with ExitStack() as hooks, torch.compiler.set_stance("force_eager"):
        for module in names:
            hooks.enter_context(module.register_forward_pre_hook(lambda m, _: entered.append(m)))
            hooks.enter_context(module.register_forward_hook(leave))
        try:
            run()
        except NonFiniteError:
            # A layer may notice itself: it was entered last and never left.
            found += entered[-1:]
    return f"{names[found[0]]} ({type(found[0]).__name__})" if found else None


def first_in_backward(model: nn.Module) -> str | None:
    """The parameter that backward came to first among those whose gradient is not finite.

    Backward goes from the last layer to the first, and NaN spreads along its way.
    """
    names = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is not None and not parameter.grad.isfinite().all()
    ]
    if not names:
        return None
    layer = names[-1].rpartition(".")[0]
    return f"{names[-1]} ({type(model.get_submodule(layer)).__name__})"
