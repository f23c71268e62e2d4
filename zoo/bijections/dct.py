"""Discrete cosine transforms through the FFT, O(N log N).

Unnormalised, as scipy.fft's: type I is the DFT of the whole-sample even extension, type II that of
the half-sample one. Source: Martucci, Symmetric convolution and the discrete sine and cosine
transforms, 1994.
"""

import math

import torch
from torch import Tensor


def dct1(x: Tensor, dim: int = -1) -> Tensor:
    """X_k = x_0 + (-1)^k x_{N-1} + 2 sum_{0<n<N-1} x_n cos(pi k n / (N-1)); X = x for N = 1."""
    n = x.shape[dim]
    if n == 1:
        return x
    extended = torch.cat([x, x.narrow(dim, 1, n - 2).flip(dim)], dim)  # period 2N - 2
    return torch.fft.rfft(extended, dim=dim).real


def idct1(spectrum: Tensor, dim: int = -1) -> Tensor:
    """Inverse of `dct1`, which is its own inverse up to a factor."""
    return dct1(spectrum, dim) / max(1, 2 * (spectrum.shape[dim] - 1))


def dct2(x: Tensor, dim: int = -1) -> Tensor:
    """X_k = 2 sum_n x_n cos(pi k (2n + 1) / 2N)."""
    n = x.shape[dim]
    extended = torch.cat([x, x.flip(dim)], dim)  # period 2N, even about -1/2
    spectrum = torch.fft.rfft(extended, dim=dim).narrow(dim, 0, n)
    return (spectrum * _half_sample(spectrum, dim).conj()).real


def idct2(spectrum: Tensor, dim: int = -1) -> Tensor:
    """Inverse of `dct2`."""
    n = spectrum.shape[dim]
    # The missing bin N is 0; irfft takes it so.
    extended = torch.fft.irfft(spectrum * _half_sample(spectrum, dim), n=2 * n, dim=dim)
    return extended.narrow(dim, 0, n)


def _half_sample(spectrum: Tensor, dim: int) -> Tensor:
    """Phase exp(i pi k / 2N) of a shift by half a sample, shaped to multiply along dim."""
    n = spectrum.shape[dim]
    angles = torch.arange(n, dtype=torch.float64, device=spectrum.device) * (math.pi / (2 * n))
    phase = torch.polar(torch.ones_like(angles), angles)
    phase = phase.to(torch.promote_types(spectrum.dtype, torch.complex64))
    return phase.view(-1, *[1] * (-dim - 1 if dim < 0 else spectrum.dim() - dim - 1))
