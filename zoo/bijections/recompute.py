"""Backward passes that keep everything of the forward pass, or compute some of it again."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from zoo.bijections.base import Bijection

Activations = Literal["store", "checkpoint", "invert"]
Mapped = tuple[Tensor, Tensor]


def store(bijections: Sequence[Bijection], x: Tensor) -> Mapped:
    """Apply bijections in turn and add their log-dets in float64; autograd keeps everything."""
    return run(bijections, x, lambda bijection, x: bijection(x))


def checkpoint(bijections: Sequence[Bijection], x: Tensor) -> Mapped:
    """Like `store`, but keep the input of each bijection only, and run it again when needed.

    Source: Chen et al., Training deep nets with sublinear memory cost, 2016.
    """
    from torch.utils.checkpoint import checkpoint as again

    return run(bijections, x, lambda bijection, x: again(bijection, x, use_reentrant=False))


def invert(bijections: Sequence[Bijection], x: Tensor) -> Mapped:
    """Like `store`, but keep the last output only, and find every input by the inverse.

    Memory does not grow with the number of bijections. Gradients are those at the inputs that the
    inverses find, which in float32 are the inputs to about 1e-6. Once differentiable.

    Source: Gomez et al., The reversible residual network, 2017, section 3.2.
    """
    # A bijection that occurs twice has its parameters once.
    parameters = dict.fromkeys(p for bijection in bijections for p in bijection.parameters())
    y, log_det = _Invert.apply(bijections, x, *parameters)
    return y, log_det


def run(
    bijections: Iterable[Bijection], x: Tensor, call: Callable[[Bijection, Tensor], Mapped]
) -> Mapped:
    """Map x by a call of each bijection in turn; log-dets are added in float64."""
    total = torch.zeros(x.shape[0], dtype=torch.float64, device=x.device)
    for bijection in bijections:
        x, log_det = call(bijection, x)
        total = total + log_det
    return x, total


class _Invert(Function):
    @staticmethod
    def forward(
        ctx: Any, bijections: Sequence[Bijection], x: Tensor, *parameters: Tensor
    ) -> Mapped:
        y, log_det = store(bijections, x)
        ctx.bijections, ctx.parameters = bijections, parameters
        ctx.save_for_backward(y)
        return y, log_det

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_y: Tensor, grad_log_det: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        gradients: dict[Tensor, Tensor] = {}
        for bijection in reversed(ctx.bijections):
            y, grad_y = _step_back(bijection, y, grad_y, grad_log_det, gradients)
        return None, grad_y, *map(gradients.get, ctx.parameters)


def _step_back(
    bijection: Bijection,
    y: Tensor,
    grad_y: Tensor,
    grad_log_det: Tensor,
    gradients: dict[Tensor, Tensor],
) -> tuple[Tensor, Tensor]:
    """The input of a bijection and the loss's gradient there; adds those of its parameters."""
    with torch.no_grad():
        x, _ = bijection.inverse(y)
    x = x.detach().requires_grad_()
    parameters = [p for p in bijection.parameters() if p.requires_grad]
    with torch.enable_grad():
        mapped = bijection(x)
    pairs = [
        (output, gradient.to(output.dtype))
        for output, gradient in zip(mapped, (grad_y, grad_log_det), strict=True)
        if output.requires_grad
    ]
    outputs, incoming = zip(*pairs, strict=True)
    grad_x, *own = torch.autograd.grad(outputs, [x, *parameters], incoming, allow_unused=True)
    for parameter, gradient in zip(parameters, own, strict=True):
        if gradient is not None:
            before = gradients.get(parameter)
            gradients[parameter] = gradient if before is None else before + gradient
    return x.detach(), grad_x


CHOICES: dict[Activations, Callable[[Sequence[Bijection], Tensor], Mapped]] = {
    "store": store,
    "checkpoint": checkpoint,
    "invert": invert,
}
