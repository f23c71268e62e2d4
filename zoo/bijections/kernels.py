"""Kernels of invertible convolutions: from a few numbers to the response at every frequency."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from zoo.bijections.boundary import BOUNDARIES, Boundary, BoundaryName, Size
from zoo.bijections.cache import kept
from zoo.bijections.scale import bounded
from zoo.bijections.stability import Stability
from zoo.errors import ConfigError, NotInvertibleError

KernelName = Literal["spectral", "taps"]

BOUND = 2.0


class Response(NamedTuple):
    """Eigenvalues of a convolution.

    Attributes:
        values: (..., *bins), real or complex.
        log_magnitude: log|values|.
    """

    values: Tensor
    log_magnitude: Tensor


@dataclass(frozen=True)
class Kernel(ABC):
    """Map from coefficients to a convolution; coefficients of 0 give the identity.

    Coefficients are (C, n), one kernel per channel, or (B, C, n), one per sample and channel.

    Attributes:
        boundary: Rule by which maps go on beyond their ends.
        ndim: Number of axes of a map, 1 or 2.
        length: Number of taps, or of frequency functions, along each axis.
        separable: Whether a 2-D kernel is the product of one along H and one along W.
        gain_bound: Bound of the inverse's amplification, whatever the coefficients and the size.
    """

    gain_bound: ClassVar[float]
    boundary: BoundaryName
    ndim: int
    length: int
    separable: bool

    def __post_init__(self) -> None:
        if self.ndim not in (1, 2):
            raise ConfigError(f"ndim must be 1 or 2; got {self.ndim}.")
        if self.length < 1:
            raise ConfigError(f"length must be at least 1; got {self.length}.")

    @abstractmethod
    def response(self, coefficients: Tensor, size: Size) -> Response:
        """Eigenvalues on a map of this size."""

    @property
    def coefficients(self) -> int:
        """Number of coefficients of one kernel."""
        per_axis = self._per_axis
        return per_axis * self.ndim if self.separable else per_axis**self.ndim

    @property
    def _per_axis(self) -> int:
        return self.length

    @property
    def _extension(self) -> Boundary:
        return BOUNDARIES[self.boundary]

    def convolve(self, x: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve maps (B, C, *size); also log|det|, (B,)."""
        response = self.response(coefficients, x.shape[2:])
        return self._multiply(x, response.values), self._log_det(response, x)

    def deconvolve(self, y: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Inverse of `convolve`."""
        response = self.response(coefficients, y.shape[2:])
        return self._multiply(y, response.values.reciprocal()), -self._log_det(response, y)

    @torch.no_grad()
    def stability(self, coefficients: Tensor, size: Size) -> Stability:
        """Gain of the inverse in the spectral norm, and the condition number.

        The norm is that of the extended map over one period: exact for an orthogonal transform,
        and under "reflect", where the end samples of an axis weigh half, within a factor sqrt(2)
        for each axis of the plain one.
        """
        log_magnitude = self.response(coefficients.double(), size).log_magnitude
        low, high = float(log_magnitude.min()), float(log_magnitude.max())
        return Stability(self.gain_bound, math.exp(-low), math.exp(high - low))

    def _multiply(self, x: Tensor, values: Tensor) -> Tensor:
        spectrum = self._extension.transform(x, self.ndim)
        return self._extension.restore(spectrum * values, x.shape[2:])

    def _log_det(self, response: Response, x: Tensor) -> Tensor:
        like = response.log_magnitude
        size = tuple(x.shape[2:])
        counts = kept(_multiplicity(self._extension, size, like.dtype, like.device))
        per_channel = (response.log_magnitude * counts).flatten(-self.ndim).sum(-1)
        return per_channel.sum(-1).expand(x.shape[0])


@dataclass(frozen=True)
class SpectralKernel(Kernel):
    """The logarithm of the response is a short trigonometric sum, with its real part bounded.

    circular: log w(theta) = sum_{|k| < length} c_k exp(-i k theta), real at DC and Nyquist;
    reflect, symmetric: log w(theta) = sum_{0 <= k < length} c_k cos(k theta).
    |log|w|| < 2 (for a separable kernel, half of it along each axis), so the condition number is
    below e^4. Any size samples the same function: the response at a frequency does not change.
    """

    gain_bound = math.exp(BOUND)

    def response(self, coefficients: Tensor, size: Size) -> Response:
        dtype, device = coefficients.dtype, coefficients.device
        bases = kept(_bases(self._extension, tuple(size), self.length, dtype, device))
        coefficients = coefficients.to(bases[0].dtype)
        if self.separable:
            parts = coefficients.chunk(self.ndim, dim=-1)
            waves = [part @ basis.mT for part, basis in zip(parts, bases, strict=True)]
            logarithm = _outer_sum([_bounded(wave, BOUND / self.ndim) for wave in waves])
        else:
            grid = coefficients.unflatten(-1, [self._per_axis] * self.ndim)
            logarithm = _bounded(_contract(grid, bases), BOUND)
        return Response(logarithm.exp(), logarithm.real)

    @property
    def _per_axis(self) -> int:
        return 2 * self.length - 1 if self.boundary == "circular" else self.length


@dataclass(frozen=True)
class TapKernel(Kernel):
    """Taps in space: those of the identity plus the coefficients, as in the paper.

    circular: y_n = sum_m w_m x_{n-m}; reflect, symmetric: the even kernel
    y_n = w_0 x_n + sum_{m>0} w_m (x_{n-m} + x_{n+m}), but for the tap N - 1 under "reflect", which
    reaches a single sample and counts once. Taps carry over to any map that holds them.
    Nothing keeps the response from 0: where it falls to rounding errors, there is an error.
    """

    gain_bound = math.inf

    def response(self, coefficients: Tensor, size: Size) -> Response:
        if max(self.length - n for n in size) > 0:
            raise ConfigError(
                f"a kernel of {self.length} taps needs maps of at least as many; got "
                f"{' x '.join(map(str, size))}. Use fewer taps, or a spectral kernel."
            )
        values = self._extension.eigenvalues(self.taps(coefficients), size)
        magnitude = values.abs()
        self._check(magnitude.detach(), size)
        return Response(values, magnitude.log())

    def taps(self, coefficients: Tensor) -> Tensor:
        """The taps, (..., length) or (..., length, length)."""
        identity = torch.eye(1, self.length, dtype=coefficients.dtype, device=coefficients.device)
        if self.separable:
            parts = [part + identity[0] for part in coefficients.chunk(self.ndim, dim=-1)]
            return parts[0] if self.ndim == 1 else parts[0][..., None] * parts[1][..., None, :]
        grid = coefficients.unflatten(-1, [self.length] * self.ndim)
        return grid + (identity[0] if self.ndim == 1 else identity.mT @ identity)

    def _check(self, magnitude: Tensor, size: Size) -> None:
        bins = magnitude.flatten(-self.ndim)
        smallest = float((bins.amin(-1) / bins.amax(-1)).min())
        # Written so that NaN fails too.
        if not smallest > torch.finfo(magnitude.dtype).eps:
            raise NotInvertibleError(
                f"the response of a kernel of taps falls to {smallest:.2g} of its largest value on "
                f"maps of {' x '.join(map(str, size))}: below {magnitude.dtype}'s precision, hence "
                "not invertible. Use float64, other taps, or a spectral kernel."
            )


KERNELS: dict[str, type[Kernel]] = {"spectral": SpectralKernel, "taps": TapKernel}


def make_kernel(
    boundary: BoundaryName, ndim: int, kernel: KernelName, length: int, separable: bool
) -> Kernel:
    """A kernel of one of the two kinds.

    Raises:
        ConfigError: For an option that does not exist.
    """
    if kernel not in KERNELS:
        choices = ", ".join(get_args(KernelName))
        raise ConfigError(f"unknown kernel {kernel!r}; choose from {choices}.")
    return KERNELS[kernel](boundary, ndim, length, separable)


# Made on the CPU in float64, and kept on the device: copies would wait for it in every call.


@lru_cache(maxsize=256)
def _bases(
    extension: Boundary, size: Size, length: int, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, ...]:
    """The functions of frequency of each axis, (bins, functions)."""
    with torch.inference_mode(False), torch.no_grad():
        bases = [extension.basis(angles, length) for angles in extension.grid(size)]
        if bases[0].is_complex():
            dtype = torch.promote_types(dtype, torch.complex64)
        return tuple(basis.to(device, dtype) for basis in bases)


@lru_cache(maxsize=256)
def _multiplicity(
    extension: Boundary, size: Size, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Number of eigenvalues that each bin of the last axis stands for, (bins,)."""
    with torch.inference_mode(False), torch.no_grad():
        return extension.multiplicity(size).to(device, dtype)


def _bounded(logarithm: Tensor, bound: float) -> Tensor:
    """Bound the log-magnitude; leave the phase alone."""
    if not logarithm.is_complex():
        return bounded(logarithm, bound)
    return torch.complex(bounded(logarithm.real, bound), logarithm.imag)


def _outer_sum(waves: list[Tensor]) -> Tensor:
    """(..., H) and (..., W) -> (..., H, W); one wave alone stays."""
    return waves[0] if len(waves) == 1 else waves[0][..., None] + waves[1][..., None, :]


def _contract(grid: Tensor, bases: Sequence[Tensor]) -> Tensor:
    """Sum the basis functions: (..., j) or (..., j, k) coefficients -> (..., *bins)."""
    if len(bases) == 1:
        return grid @ bases[0].mT
    return bases[0] @ grid @ bases[1].mT
