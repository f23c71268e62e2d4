"""Gates: pointwise bijections that stand for a regulariser of the activations.

To be penalised by gamma(y), an activation must come from a map y = f(x) whose log-derivative is
-gamma(y): f'(x) = exp(-gamma(f(x))), f(0) = 0, solved for f. Source: Invertible Convolutional Flow
(Karami et al., 2019), pointwise bijectors; the solutions are derived in docs/conf.md.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from zoo.bijections.base import Bijection
from zoo.bijections.scale import bounded

GateName = Literal["slog", "asinh", "leaky_relu"]

ALPHA = 0.01
ALPHA_RATIO = 100.0
SLOPE_BOUND = 1.0


class Gate(Bijection):
    """y = f(x) at every element, one shape per channel; log_det = -sum gamma(y).

    A new one implements three methods: f, its inverse, and the regulariser gamma.

    Args:
        channels: Number of channels C of the (B, C, ...) input.
    """

    elementwise = True

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        parameter = self._parameter(x)
        y = self.squash(x, parameter)
        return y, -self._penalty(y, parameter)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        parameter = self._parameter(y)
        return self.stretch(y, parameter), self._penalty(y, parameter)

    def squash(self, x: Tensor, parameter: Tensor) -> Tensor:
        """Apply f, with the parameter of each channel."""
        raise NotImplementedError

    def stretch(self, y: Tensor, parameter: Tensor) -> Tensor:
        """Apply the inverse of f, with the parameter of each channel."""
        raise NotImplementedError

    def regulariser(self, y: Tensor, parameter: Tensor) -> Tensor:
        """Evaluate gamma at each element, with the parameter of each channel."""
        raise NotImplementedError

    def parameter(self) -> Tensor:
        """The bounded parameter of each channel, (C,)."""
        return ALPHA * bounded(self.raw, math.log(ALPHA_RATIO)).exp()

    def _parameter(self, x: Tensor) -> Tensor:
        return self.parameter().view(-1, *[1] * (x.dim() - 2))

    def _penalty(self, y: Tensor, parameter: Tensor) -> Tensor:
        return self.regulariser(y, parameter).sum(tuple(range(1, y.dim())))


class SLogGate(Gate):
    """y = sign(x) ln(1 + alpha |x|) / alpha, from gamma(y) = alpha |y|, the l1 norm.

    alpha is learned for each of the channels between 1e-4 and 1, from 0.01; the identity as
    alpha -> 0.
    """

    def squash(self, x: Tensor, parameter: Tensor) -> Tensor:
        return x * _over(torch.log1p, parameter * x.abs())

    def stretch(self, y: Tensor, parameter: Tensor) -> Tensor:
        return y * _over(torch.expm1, parameter * y.abs())

    def regulariser(self, y: Tensor, parameter: Tensor) -> Tensor:
        return parameter * y.abs()


class AsinhGate(Gate):
    """y = asinh(alpha x) / alpha, from gamma(y) = ln cosh(alpha y), a smooth l1 norm.

    alpha is learned for each of the channels between 1e-4 and 1, from 0.01; the identity as
    alpha -> 0.
    """

    def squash(self, x: Tensor, parameter: Tensor) -> Tensor:
        return (parameter * x).asinh() / parameter

    def stretch(self, y: Tensor, parameter: Tensor) -> Tensor:
        return (parameter * y).sinh() / parameter

    def regulariser(self, y: Tensor, parameter: Tensor) -> Tensor:
        # ln cosh without overflow.
        magnitude = (parameter * y).abs()
        return magnitude + (-2 * magnitude).exp().log1p() - math.log(2)


class LeakyReLUGate(Gate):
    """y = x for x >= 0, slope * x below; from a gamma that is constant on each side of 0.

    The slope is learned for each of the channels between 1/e and e, from 1, the identity.
    """

    def squash(self, x: Tensor, parameter: Tensor) -> Tensor:
        return torch.where(x < 0, x * parameter, x)

    def stretch(self, y: Tensor, parameter: Tensor) -> Tensor:
        return torch.where(y < 0, y / parameter, y)

    def regulariser(self, y: Tensor, parameter: Tensor) -> Tensor:
        return torch.where(y < 0, -parameter.log(), 0)

    def parameter(self) -> Tensor:
        return bounded(self.raw, SLOPE_BOUND).exp()


GATES: dict[str, type[Gate]] = {"slog": SLogGate, "asinh": AsinhGate, "leaky_relu": LeakyReLUGate}


def _over(function: Callable[[Tensor], Tensor], u: Tensor) -> Tensor:
    """function(u) / u of u >= 0, which is 1 at 0.

    Times x it is function(|x|) with the sign of x, and with slope 1 at 0, where sign(x) has 0.
    Below the bound it is 1 to rounding, also where denormal numbers count as zero.
    """
    u = u.clamp_min(torch.finfo(u.dtype).eps / 4)
    return function(u) / u
