"""Signals beyond their ends, and the transforms that then diagonalise convolution."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.bijections.dct import dct1, dct2, idct1, idct2

BoundaryName = Literal["circular", "reflect", "symmetric"]
Size = tuple[int, ...]


class Boundary(ABC):
    """Convolution under one extension: a product in the domain of one transform.

    Positions are the last axes of every tensor, bins are those of its spectrum. The eigenvalues
    of a convolution are samples of one function of frequency, its response; only the frequencies
    at which it is sampled depend on the size of the map.
    """

    @abstractmethod
    def grid(self, size: Size) -> list[Tensor]:
        """Frequency of each bin in radians per sample, (bins,) float64, for each axis."""

    @abstractmethod
    def multiplicity(self, size: Size) -> Tensor:
        """Number of eigenvalues that each bin of the last axis stands for, (bins,)."""

    @abstractmethod
    def basis(self, angles: Tensor, length: int) -> Tensor:
        """Smooth functions of frequency that keep the kernel real, (bins, functions)."""

    @abstractmethod
    def transform(self, x: Tensor, ndim: int) -> Tensor:
        """Spectrum of a map over its last axes."""

    @abstractmethod
    def restore(self, spectrum: Tensor, size: Size) -> Tensor:
        """Inverse of `transform`."""

    @abstractmethod
    def eigenvalues(self, taps: Tensor, size: Size) -> Tensor:
        """Response at each bin of a kernel given by its taps, at most as many as the map's."""


class Circular(Boundary):
    """x_0 .. x_{N-1} x_0 ..: the DFT. Of each conjugate pair of bins only one is kept.

    Source: Invertible Convolutional Flow (Karami et al., 2019), circular convolution.
    """

    def grid(self, size: Size) -> list[Tensor]:
        angles = [_steps(n) * (2 * math.pi / n) for n in size]
        return [*angles[:-1], angles[-1][: size[-1] // 2 + 1]]

    def multiplicity(self, size: Size) -> Tensor:
        n = size[-1]
        counts = torch.full((n // 2 + 1,), 2.0, dtype=torch.float64, device="cpu")
        counts[[0, -1] if n % 2 == 0 else 0] = 1
        return counts

    def basis(self, angles: Tensor, length: int) -> Tensor:
        phases = -angles[:, None] * torch.arange(
            1 - length, length, dtype=angles.dtype, device=angles.device
        )
        return torch.polar(torch.ones_like(phases), phases)

    def transform(self, x: Tensor, ndim: int) -> Tensor:
        return torch.fft.rfftn(x, dim=_axes(ndim))

    def restore(self, spectrum: Tensor, size: Size) -> Tensor:
        return torch.fft.irfftn(spectrum, s=size, dim=_axes(len(size)))

    def eigenvalues(self, taps: Tensor, size: Size) -> Tensor:
        return torch.fft.rfftn(taps, s=size, dim=_axes(len(size)))


class Even(Boundary):
    """An even extension: real spectra of real, even kernels, through cosine transforms."""

    def multiplicity(self, size: Size) -> Tensor:
        return torch.ones(size[-1], dtype=torch.float64, device="cpu")

    def basis(self, angles: Tensor, length: int) -> Tensor:
        return (
            angles[:, None] * torch.arange(length, dtype=angles.dtype, device=angles.device)
        ).cos()


class Reflect(Even):
    """x_0 x_1 .. x_{N-1} x_{N-2} .. x_1: the DCT-I. The end samples are not repeated.

    Source: Invertible Convolutional Flow (Karami et al., 2019), symmetric convolution.
    """

    def grid(self, size: Size) -> list[Tensor]:
        return [_steps(n) * (math.pi / max(1, n - 1)) for n in size]

    def transform(self, x: Tensor, ndim: int) -> Tensor:
        return reduce(dct1, _axes(ndim), x)

    def restore(self, spectrum: Tensor, size: Size) -> Tensor:
        return reduce(idct1, _axes(len(size)), spectrum)

    def eigenvalues(self, taps: Tensor, size: Size) -> Tensor:
        return self.transform(_pad(taps, size), len(size))


class Symmetric(Even):
    """x_0 .. x_{N-1} x_{N-1} .. x_0: the DCT-II. The end samples are repeated.

    Source: Martucci, 1994, for the type of transform that belongs to each extension.
    """

    def grid(self, size: Size) -> list[Tensor]:
        return [_steps(n) * (math.pi / n) for n in size]

    def transform(self, x: Tensor, ndim: int) -> Tensor:
        return reduce(dct2, _axes(ndim), x)

    def restore(self, spectrum: Tensor, size: Size) -> Tensor:
        return reduce(idct2, _axes(len(size)), spectrum)

    def eigenvalues(self, taps: Tensor, size: Size) -> Tensor:
        values = _pad(taps, [n + 1 for n in size])
        for axis, n in zip(_axes(len(size)), size, strict=True):
            values = dct1(values, axis).narrow(axis, 0, n)
        return values


BOUNDARIES: dict[str, Boundary] = {
    "circular": Circular(),
    "reflect": Reflect(),
    "symmetric": Symmetric(),
}


def _steps(n: int) -> Tensor:
    return torch.arange(n, dtype=torch.float64, device="cpu")


def _axes(ndim: int) -> tuple[int, ...]:
    return tuple(range(-ndim, 0))


def _pad(taps: Tensor, size: Sequence[int]) -> Tensor:
    """Zeros behind the taps, up to this size."""
    missing = [n - length for n, length in zip(size, taps.shape[-len(size) :], strict=True)]
    return F.pad(taps, [side for pad in reversed(missing) for side in (0, pad)])
