"""Circular convolution: maps go round at their ends."""

from zoo.bijections.kernels import KernelName, make_kernel
from zoo.bijections.spectral_conv import SpectralConv


class CircularConv(SpectralConv):
    """y = w * x per channel, modulo the size of the map; log_det = sum_n log|DFT(w)_n|.

    Invertible iff no bin of the DFT of w is 0. In 2-D either separable, then
    log_det = W sum_k log|u_k| + H sum_l log|v_l|, or with a full spectrum.

    Source: Invertible Convolutional Flow (Karami et al., 2019), circular convolution.

    Args:
        channels: Number of channels C of the (B, C, N) or (B, C, H, W) input.
        ndim: 1 for (B, C, N), 2 for (B, C, H, W).
        kernel: "spectral" bounds the condition number below e^4; "taps" learns w itself.
        length: Number of taps w_0 .. w_{length-1} along each axis; for "spectral", the cepstral
            coefficients c_k with |k| < length.
        separable: Whether a 2-D kernel is a product of one along H and one along W.

    Raises:
        NotInvertibleError: In use, where the DFT of taps falls to rounding errors.
    """

    def __init__(
        self,
        channels: int,
        ndim: int = 2,
        *,
        kernel: KernelName = "spectral",
        length: int = 3,
        separable: bool = True,
    ) -> None:
        super().__init__(channels, make_kernel("circular", ndim, kernel, length, separable))
