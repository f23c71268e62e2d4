"""Symmetric convolution: maps are mirrored at their ends, spectra are real."""

from typing import Literal

from zoo.bijections.kernels import KernelName, make_kernel
from zoo.bijections.spectral_conv import SpectralConv
from zoo.errors import ConfigError


class SymmetricConv(SpectralConv):
    """Convolve each channel with an even kernel under mirrored ends; log_det = sum_k log|w_k|.

    "reflect" mirrors about the last sample (x_2 x_1 | x_0 x_1 x_2: DCT-I of kernel and map),
    "symmetric" behind it (x_1 x_0 | x_0 x_1 x_2: DCT-II of the map, first N bins of the kernel's
    DCT-I of N + 1). No wrap-around, so no edge of an image sees the opposite one.

    Source: Invertible Convolutional Flow (Karami et al., 2019), symmetric convolution.

    Args:
        channels: Number of channels C of the (B, C, N) or (B, C, H, W) input.
        ndim: 1 for (B, C, N), 2 for (B, C, H, W).
        boundary: "reflect" (whole-sample) or "symmetric" (half-sample).
        kernel: "spectral" bounds the condition number below e^4; "taps" learns the kernel itself.
        length: Number of taps w_0 .. w_{length-1}, of which all but the first act on both sides;
            for "spectral", the number of cosines in frequency.
        separable: Whether a 2-D kernel is a product of one along H and one along W.

    Raises:
        NotInvertibleError: In use, where the DCT of taps falls to rounding errors.
    """

    def __init__(
        self,
        channels: int,
        ndim: int = 2,
        boundary: Literal["reflect", "symmetric"] = "reflect",
        *,
        kernel: KernelName = "spectral",
        length: int = 3,
        separable: bool = True,
    ) -> None:
        if boundary not in ("reflect", "symmetric"):
            raise ConfigError(f"unknown boundary {boundary!r}; choose from reflect, symmetric.")
        super().__init__(channels, make_kernel(boundary, ndim, kernel, length, separable))
