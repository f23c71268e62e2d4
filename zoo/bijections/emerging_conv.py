"""Emerging convolution: the support of a k x k kernel from two triangular convolutions."""

from zoo.bijections.chain import Chain
from zoo.bijections.padded_conv import PaddedConv2d
from zoo.errors import ConfigError
from zoo.solvers import Method


class EmergingConv2d(Chain):
    """Two padded convolutions of opposite orders, of pixels and of channels, one after the other.

    The first takes information from above and left and from channels before, the second from
    below and right and from channels after; each spans a quadrant of the k x k support. log_det is
    the sum of theirs. The inverse is two triangular solves, where `PaddedConv2d` needs one.

    Source: Emerging convolutions (Hoogeboom et al., 2019), the square kind.

    Args:
        channels: Number of channels C of the (B, C, H, W) input.
        kernel_size: k of the support, odd; the quadrants are (k + 1) / 2 wide.

    The rest as for `PaddedConv2d`, for both of them.

    Raises:
        ConfigError: For an even kernel_size.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        *,
        gain_max: float | None = None,
        method: Method = "auto",
        invert: bool = False,
    ) -> None:
        if kernel_size % 2 == 0:
            raise ConfigError(f"kernel_size of an emerging convolution is odd; got {kernel_size}.")
        super().__init__(
            PaddedConv2d(
                channels,
                (kernel_size + 1) // 2,
                "bottom_right" if last else "top_left",
                upper=last,
                gain_max=gain_max,
                method=method,
                invert=invert,
            )
            for last in (False, True)
        )
