"""The inverse as a differentiable function, by the transposed solve."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from zoo.solvers.choice import Shape, choose
from zoo.solvers.operator import CORNERS, Corner, Operator, group
from zoo.solvers.prepare import prepare

# Only plain types pass through an operator of torch: corners are their indices.
Indices = list[int]


def triangular_solve(
    kernel: Tensor, y: Tensor, corners: tuple[Corner, ...], method: str = "auto"
) -> Tensor:
    """Solve padded convolution of x = y for x, differentiably and any number of times so.

    With x = M^-1 y, the gradient for y is M^-T times that for x, another triangular solve towards
    the opposite corners, and that for the kernel is minus the weight gradient of the convolution
    at (x, that). Nothing but x is kept for it.

    Works under `torch.compile` and `torch.export`, as one operator `flowzoo::triangular_solve` that
    the program must find registered (so not in ONNX: `zoo.export` freezes solvers), and under
    `torch.func` transforms of the reverse mode; forward-mode derivatives are not supported. Each
    call prepares its solver anew: where no gradient is needed, keep one of `zoo.solvers.prepare`.

    Source: Inverse-Flow (Nagar & Varma, 2024), for the gradient of one channel.

    Args:
        kernel: (G, C, C, kh, kw), as in `Operator`.
        y: (B, G * C, H, W), of the same dtype.
        corners: Corners of the groups.
        method: As in `zoo.solvers.choice`.
    """
    indices = [CORNERS.index(corner) for corner in corners]
    return _TriangularSolve.apply(kernel, y, indices, method)


class _TriangularSolve(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(kernel: Tensor, y: Tensor, corners: Indices, method: str) -> Tensor:
        return _solve(kernel, y, corners, method)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Tensor, Tensor, Indices, str], output: Tensor
    ) -> None:
        kernel, _, ctx.corners, ctx.method = inputs
        ctx.save_for_backward(kernel, output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        kernel, x = ctx.saved_tensors
        opposite = [3 - corner for corner in ctx.corners]
        for_y = _TriangularSolve.apply(kernel.transpose(1, 2), gradient, opposite, ctx.method)
        if not ctx.needs_input_grad[0]:
            return None, for_y, None, None
        corners = tuple(CORNERS[i] for i in ctx.corners)
        return -_weight_gradient(kernel, x, for_y, corners), for_y, None, None


@torch.library.custom_op("flowzoo::triangular_solve", mutates_args=())
def _solve(kernel: Tensor, y: Tensor, corners: Indices, method: str) -> Tensor:
    operator = Operator(kernel, tuple(CORNERS[i] for i in corners))
    size = (y.shape[2], y.shape[3])
    kernel_size = (kernel.shape[3], kernel.shape[4])
    shape = Shape(kernel.shape[1], kernel_size, operator.corners, size, len(y), y.device.type)
    plan = choose(method, shape)
    return prepare(operator, size, y.dtype, plan).solve(y).contiguous()


@_solve.register_fake
def _(kernel: Tensor, y: Tensor, corners: Indices, method: str) -> Tensor:
    return torch.empty_like(y, memory_format=torch.contiguous_format)


@_solve.register_vmap
def _(
    info: Any,
    dims: tuple[int | None, ...],
    kernel: Tensor,
    y: Tensor,
    corners: Indices,
    method: str,
) -> tuple[Tensor, int]:
    size = info.batch_size
    maps = y.expand(size, *y.shape) if dims[1] is None else y.movedim(dims[1], 0)
    if dims[0] is None:
        return _solve(kernel, maps.flatten(0, 1), corners, method).unflatten(0, (size, -1)), 0
    pairs = zip(kernel.movedim(dims[0], 0), maps, strict=True)
    return torch.stack([_solve(weights, part, corners, method) for weights, part in pairs]), 0


def _weight_gradient(
    kernel: Tensor, x: Tensor, gradient: Tensor, corners: tuple[Corner, ...]
) -> Tensor:
    """Gradient of the padded convolution of x for its kernel, (G, C, C, kh, kw)."""
    groups, channels, _, kh, kw = kernel.shape
    padded = F.pad(group(x, corners), (kw - 1, 0, kh - 1, 0)).flatten(1, 2)
    shape = (groups * channels, channels, kh, kw)
    flat = group(gradient, corners).flatten(1, 2)
    return conv2d_weight(padded, shape, flat, groups=groups).view(kernel.shape)
