"""The papers' sequential inverse, pixel after pixel: what Emerging's code does, for comparison."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.bijections.padded_conv import CornerConv
from zoo.flow import Flow
from zoo.solvers.operator import Operator, group, inverses, ungroup


def sequential(layer: CornerConv) -> Callable[[Tensor], Tensor]:
    """Make a function that solves a layer, with its weights of now, in H * W steps."""
    operator = layer.operator()
    inverse = inverses(operator.kernel[..., -1, -1])
    taps = torch.einsum("goi,gijkl->gojkl", inverse, operator.kernel).float()
    bias = None if operator.bias is None else operator.bias.float().view(-1, 1, 1)
    return lambda y: _solve(operator, inverse.float(), taps, y if bias is None else y - bias)


def use_sequential(flow: Flow) -> None:
    """Have every padded convolution of a flow inverted by it, with the weights of now."""
    for layer in flow.modules():
        if isinstance(layer, CornerConv):
            layer._solve = sequential(layer)  # type: ignore[method-assign]


def _solve(operator: Operator, inverse: Tensor, taps: Tensor, y: Tensor) -> Tensor:
    kh, kw = taps.shape[-2:]
    scaled = torch.einsum("goi,bgihw->bgohw", inverse, group(y, operator.corners))
    x = F.pad(torch.zeros_like(scaled), (kw - 1, 0, kh - 1, 0))
    for h in range(y.shape[2]):
        for w in range(y.shape[3]):
            past = x[..., h : h + kh, w : w + kw]  # the pixel itself is still 0
            sums = torch.einsum("goikl,bgikl->bgo", taps, past)
            x[..., h + kh - 1, w + kw - 1] = scaled[..., h, w] - sums
    return ungroup(x[..., kh - 1 :, kw - 1 :], operator.corners)
