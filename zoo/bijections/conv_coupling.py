"""CONF's coupling: convolve, scale, shift and gate some channels, all conditioned on the others."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from zoo.bijections.base import Bijection
from zoo.bijections.boundary import BoundaryName, Size
from zoo.bijections.bounds import FREE, Bounds
from zoo.bijections.coupling import halves
from zoo.bijections.gates import GATES, GateName
from zoo.bijections.kernels import Kernel, KernelName, make_kernel
from zoo.bijections.nets import Trunk, ZeroConv, ZeroLinear
from zoo.bijections.stability import Limits, Stability
from zoo.errors import ConfigError

ConvolutionName = BoundaryName | Literal["none"]
CONVOLUTIONS = (*get_args(BoundaryName), "none")
GATE_NAMES = (*GATES, "none")


@dataclass(frozen=True, kw_only=True)
class Factors:
    """Factors of the coupling y2 = gate(s(x1) * (w(x1) conv x2) + t(x1)), each on or off.

    Attributes:
        convolution: Boundary of the maps: "circular", "reflect" or "symmetric"; "none"
            leaves the convolution out.
        kernel: Kind of a convolution's coefficients: "spectral" (bounded) or "taps".
        kernel_length: Taps, or frequency functions, along each axis.
        separable: Whether 2-D kernels are products of one along H and one along W.
        adaptive: Whether kernels come from x1, one per sample and channel; else they are learned.
        scale: Whether there is s.
        shift: Whether there is t.
        gate: "slog", "asinh", "leaky_relu" or "none".
    """

    convolution: ConvolutionName = "reflect"
    kernel: KernelName = "spectral"
    kernel_length: int = 3
    separable: bool = True
    adaptive: bool = True
    scale: bool = True
    shift: bool = True
    gate: GateName | Literal["none"] = "slog"

    def __post_init__(self) -> None:
        for name, choices in (("convolution", CONVOLUTIONS), ("gate", GATE_NAMES)):
            if (value := getattr(self, name)) not in choices:
                raise ConfigError(f"{name} must be one of {', '.join(choices)}; got {value!r}.")
        for name in ("separable", "adaptive", "scale", "shift"):
            if not isinstance(value := getattr(self, name), bool):
                raise ConfigError(f"{name} must be true or false; got {value!r}.")
        if type(length := self.kernel_length) is not int or length < 1:
            raise ConfigError(f"kernel_length must be a positive integer; got {length!r}.")
        self.make_kernel(ndim=2)
        if not self.maps and (self.convolution == "none" or not self.adaptive):
            raise ConfigError("a coupling needs an adaptive convolution, a scale or a shift.")

    @property
    def maps(self) -> int:
        """Number of maps that a net gives: one for a scale, one for a shift."""
        return self.scale + self.shift

    def make_kernel(self, ndim: int) -> Kernel | None:
        """The kernel on maps of so many axes; None without a convolution."""
        if self.convolution == "none":
            return None
        return make_kernel(self.convolution, ndim, self.kernel, self.kernel_length, self.separable)


class Conditions(NamedTuple):
    """Numbers that the kept half gives for the changed one; None for a factor that is off.

    Attributes:
        shift: Shift, of the changed half's shape.
        log_scale: Log-scale of the changed half's shape, bounded on both sides.
        coefficients: (B, signals, n), of adaptive kernels.
    """

    shift: Tensor | None
    log_scale: Tensor | None
    coefficients: Tensor | None


class Conditioner(nn.Module):
    """Net of the kept half: a trunk with one head for shift and scale and one for kernels.

    Kernels depend on the mean of the trunk's features over all positions.

    Args:
        factors: Factors of the coupling.
        trunk: Kept half -> features (B, hidden, *size).
        maps: Features -> shift and log-scale, those that there are, concatenated; None for none.
        kernels: Pooled features (B, hidden) -> coefficients of all kernels; None for none.
        signals: Number of kernels.
        bounds: Limits of what the trunk sees, and of shift and log-scale.
    """

    def __init__(
        self,
        factors: Factors,
        trunk: nn.Module,
        maps: nn.Module | None,
        kernels: nn.Module | None,
        signals: int,
        bounds: Bounds,
    ) -> None:
        super().__init__()
        self.scale, self.shift, self.signals = factors.scale, factors.shift, signals
        self.bounds = bounds
        self.trunk, self.maps, self.kernels = trunk, maps, kernels

    def forward(self, kept: Tensor) -> Conditions:
        features = self.trunk(self.bounds.seen(kept))
        shift = log_scale = coefficients = None
        if self.maps is not None:
            parts = self.maps(features).chunk(self.shift + self.scale, dim=1)
            shift = self.bounds.limit_shift(parts[0]) if self.shift else None
            log_scale = self.bounds.limit_log_scale(parts[-1]) if self.scale else None
        if self.kernels is not None:
            pooled = features if features.dim() == 2 else features.flatten(2).mean(2)
            coefficients = self.kernels(pooled).unflatten(1, (self.signals, -1))
        return Conditions(shift, log_scale, coefficients)


class FactoredCoupling(Bijection):
    """y1 = x1; y2 = gate(s(x1) * (w(x1) conv x2) + t(x1)), each factor switchable.

    log_det = sum log|eigenvalues of w| + sum log s + the gate's.

    Args:
        sizes: Channels of the kept and of the changed half.
        factors: Factors of the coupling.
        trunk: Kept half -> features (B, hidden, *size).
        last: Makes the layer from features to so many maps, those of shift and log-scale.
        hidden: Number of features.
        ndim: Number of axes of a signal.
        signals: Number of kernels.
        bounds: Limits of what the trunk sees, and of shift and log-scale.
    """

    def __init__(
        self,
        sizes: tuple[int, int],
        factors: Factors,
        trunk: nn.Module,
        last: Callable[[int], nn.Module],
        *,
        hidden: int,
        ndim: int,
        signals: int,
        bounds: Bounds,
    ) -> None:
        super().__init__()
        self.sizes, self.kernel = sizes, factors.make_kernel(ndim)
        maps = last(factors.maps * sizes[1]) if factors.maps else None
        kernels = coefficients = None
        if self.kernel is not None and factors.adaptive:
            kernels = ZeroLinear(hidden, signals * self.kernel.coefficients)
        elif self.kernel is not None:
            coefficients = nn.Parameter(torch.zeros(signals, self.kernel.coefficients))
        self.net = Conditioner(factors, trunk, maps, kernels, signals, bounds)
        self.gate = None if factors.gate == "none" else GATES[factors.gate](sizes[1])
        self.coefficients = coefficients

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        kept, changed = x.split(self.sizes, dim=1)
        conditions = self.net(kept)
        y, log_det = self._convolve(changed, conditions)
        y, log_scale = _affine(y, conditions)
        log_det = log_det + log_scale
        if self.gate is not None:
            y, log_gate = self.gate(y)
            log_det = log_det + log_gate
        return torch.cat([kept, y], dim=1), log_det

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        kept, x = y.split(self.sizes, dim=1)
        log_det = y.new_zeros(y.shape[0])
        if self.gate is not None:
            x, log_det = self.gate.inverse(x)
        conditions = self.net(kept)
        x, log_scale = _unaffine(x, conditions)
        x, log_convolution = self._convolve(x, conditions, inverse=True)
        return torch.cat([kept, x], dim=1), log_det + log_scale + log_convolution

    def stability(self, size: Size) -> Stability | None:
        """Gain of the inverse (spectral norm) and condition number of the convolution.

        For adaptive kernels both are what they are bounded by; None if nothing bounds them.
        """
        if self.kernel is None:
            return Stability(1.0, 1.0, 1.0)
        if self.coefficients is None:
            bound = self.kernel.gain_bound
            return None if math.isinf(bound) else Stability(bound, bound, bound * bound)
        return self.kernel.stability(self.coefficients, size)

    def proven_condition(self) -> float:
        return 1.0 if self.kernel is None else self.kernel.gain_bound**2

    def limits(self) -> Limits:
        """Limits of scale and shift; a bounded convolution is part of `stability` instead."""
        scale, shift = self.net.bounds.limits(affine=self.net.scale)
        if self.kernel is not None and self.coefficients is None:
            scale = max(scale, math.inf if math.isinf(self.kernel.gain_bound) else 0.0)
        return Limits(scale, shift if self.net.shift else 0.0)

    def _convolve(
        self, x: Tensor, conditions: Conditions, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        if self.kernel is None:
            return x, x.new_zeros(x.shape[0])
        coefficients = conditions.coefficients if self.coefficients is None else self.coefficients
        assert coefficients is not None
        convolve = self.kernel.deconvolve if inverse else self.kernel.convolve
        y, log_det = convolve(x if x.dim() > 2 else x[:, None], coefficients)
        return y.view_as(x), log_det


class ConvolutionalCoupling(FactoredCoupling):
    """CONF's coupling of maps (B, C, H, W) or signals (B, C, N), with a convolutional net.

    y1 = x1; y2 = gate(s(x1) * (w(x1) conv x2) + t(x1)); starts as its gate. A kernel per changed
    channel, and per sample if adaptive. Spectral kernels amplify by at most e^2.

    Source: Invertible Convolutional Flow (Karami et al., 2019); the order of the factors is
    inferred.

    Args:
        channels: Number of channels C; the first ceil(C / 2) are kept.
        hidden_channels: Width of the net.
        factors: Factors of the coupling.
        ndim: 2 for maps, 1 for signals.
        actnorm: Use ActNorms in the net.
        bounds: Limits of what the net sees, and of shift and log-scale.
    """

    def __init__(
        self,
        channels: int,
        hidden_channels: int,
        factors: Factors | None = None,
        *,
        ndim: int = 2,
        actnorm: bool = False,
        bounds: Bounds = FREE,
    ) -> None:
        factors = factors or Factors()
        kept, changed = halves(channels)
        super().__init__(
            (kept, changed),
            factors,
            Trunk(kept, hidden_channels, actnorm=actnorm, ndim=ndim),
            partial(ZeroConv, hidden_channels, scaled=actnorm, ndim=ndim),
            hidden=hidden_channels,
            ndim=ndim,
            signals=changed,
            bounds=bounds,
        )


class VectorCoupling(FactoredCoupling):
    """CONF's coupling of vectors (B, D): the changed half is one signal, convolved along D.

    Otherwise as `ConvolutionalCoupling`, with a dense net; scale, shift and gate are per feature.
    Without convolution and gate it is RealNVP's.

    Args:
        features: Number of features D; the first ceil(D / 2) are kept.
        hidden_features: Width of the net.
        factors: Factors of the coupling.
    """

    def __init__(self, features: int, hidden_features: int, factors: Factors | None = None) -> None:
        factors = factors or Factors()
        sizes, hidden = halves(features), hidden_features
        first, second = nn.Linear(sizes[0], hidden), nn.Linear(hidden, hidden)
        super().__init__(
            sizes,
            factors,
            nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True)),
            partial(ZeroLinear, hidden),
            hidden=hidden,
            ndim=1,
            signals=1,
            bounds=FREE,
        )


def _affine(x: Tensor, conditions: Conditions) -> tuple[Tensor, Tensor]:
    """Scale and shift: s * x + t and its log_det."""
    log_det = x.new_zeros(x.shape[0])
    if conditions.log_scale is not None:
        x, log_det = x * conditions.log_scale.exp(), conditions.log_scale.flatten(1).sum(1)
    return x if conditions.shift is None else x + conditions.shift, log_det


def _unaffine(y: Tensor, conditions: Conditions) -> tuple[Tensor, Tensor]:
    """Inverse of `_affine`."""
    log_det = y.new_zeros(y.shape[0])
    if conditions.shift is not None:
        y = y - conditions.shift
    if conditions.log_scale is not None:
        y, log_det = y * (-conditions.log_scale).exp(), -conditions.log_scale.flatten(1).sum(1)
    return y, log_det
