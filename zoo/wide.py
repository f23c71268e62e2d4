"""Flows on devices that have no float64: their methods run on a copy on the CPU."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from zoo.errors import ArgumentError

if TYPE_CHECKING:
    from zoo.flow import Flow

P = ParamSpec("P")
T = TypeVar("T")

WITHOUT_FLOAT64 = ("mps",)
CPU = torch.device("cpu")


def where_float64_is(
    method: "Callable[Concatenate[Flow, P], T]",
) -> "Callable[Concatenate[Flow, P], T]":
    """Run a method of a flow on the CPU if log-dets cannot be added in float64 where it is.

    Results come back to the flow's device, but for those in float64.

    Raises:
        ArgumentError: In training, whose gradients the copy would not give back.
    """

    @wraps(method)
    def run(flow: "Flow", *args: P.args, **kwargs: P.kwargs) -> T:
        device = flow.device
        if device.type not in WITHOUT_FLOAT64:
            return method(flow, *args, **kwargs)
        if flow.training:
            raise ArgumentError(
                f"flows do not train on {device.type}, which has no float64. Use flow.cpu(), or "
                "--trainer.accelerator cpu."
            )
        here: Any = tree_map(lambda x: x.to(CPU) if isinstance(x, Tensor) else x, (args, kwargs))
        with torch.no_grad():
            copy = flow.at(flow.dtype, CPU).requires_grad_(False)
        result = method(copy, *here[0], **here[1])
        return tree_map(lambda x: x.to(device) if _fits(x) else x, result)

    return cast(Any, run)


def _fits(x: object) -> bool:
    return isinstance(x, Tensor) and x.dtype != torch.float64
