"""The operator that the solvers invert: padded convolutions of groups of channels."""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from zoo.errors import NonFiniteError, NotInvertibleError

Size = tuple[int, int]
Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]
CORNERS: tuple[Corner, ...] = get_args(Corner)


class Solver(Protocol):
    """The inverse of an `Operator` at one map size, everything that is weight-only precomputed."""

    def solve(self, y: Tensor) -> Tensor:
        """Map y (B, G * C, H, W), of any strides, to x of the same shape."""
        ...


@dataclass(frozen=True)
class Operator:
    """y = padded convolution of x, one group of channels towards each corner, plus bias.

    Attributes:
        kernel: (G, C, C, kh, kw) in top-left order: kernel[g, o, i, -1, -1] weighs the pixel
            itself, kernel[g, o, i, -1 - a, -1 - b] the one a rows and b columns nearer to the
            corner. The last tap must be invertible.
        corners: The corner of each group.
        bias: (G * C,), or None.
        name: Name in errors.
    """

    kernel: Tensor
    corners: tuple[Corner, ...]
    bias: Tensor | None = None
    name: str = "the convolution"

    def checked(self) -> "Operator":
        """This operator in float64, once it is known to have an inverse.

        Raises:
            NonFiniteError: For NaN or infinite weights.
            NotInvertibleError: If a last tap is singular.
        """
        kernel = self.kernel.detach().double()
        if not kernel.isfinite().all():
            raise NonFiniteError(
                f"the kernel of {self.name} holds NaN or infinity; load other weights."
            )
        last = kernel[..., -1, -1]
        if not all(torch.linalg.slogdet(tap).logabsdet.isfinite() for tap in last):
            raise NotInvertibleError(
                f"the last tap of {self.name} is singular: it has no inverse; load other weights."
            )
        bias = None if self.bias is None else self.bias.detach().double()
        return replace(self, kernel=kernel, bias=bias)


def inverses(matrices: Tensor) -> Tensor:
    """The inverse of each of (G, n, n) matrices, one at a time.

    torch's batched LU stops for ever with several CPU threads and n of about 200 (torch 2.14).
    """
    return torch.stack([torch.linalg.inv(matrix) for matrix in matrices])


def flips(corner: Corner) -> list[int]:
    """The axes of a (..., H, W) tensor to flip to bring the corner to the top left."""
    vertical, horizontal = corner.split("_")
    return [-2] * (vertical == "bottom") + [-1] * (horizontal == "right")


def group(y: Tensor, corners: tuple[Corner, ...]) -> Tensor:
    """(B, G * C, H, W) -> (B, G, C, H, W), each group flipped to top-left order."""
    if corners == ("top_left",):
        return y[:, None]
    groups = zip(y.chunk(len(corners), dim=1), corners, strict=True)
    return torch.stack([part.flip(flips(corner)) for part, corner in groups], dim=1)


def ungroup(x: Tensor, corners: tuple[Corner, ...]) -> Tensor:
    """Inverse of `group`."""
    if corners == ("top_left",):
        return x[:, 0]
    groups = zip(x.unbind(1), corners, strict=True)
    return torch.cat([part.flip(flips(corner)) for part, corner in groups], dim=1)


def spread(bias: Tensor | None, groups: int, positions: int) -> Tensor | None:
    """A bias (G * C,) as one number each of (G, 1, positions * C), channels last for one group."""
    if bias is None:
        return None
    numbers = bias.view(groups, 1, -1).repeat(1, positions, 1)
    return (numbers if groups == 1 else numbers.transpose(1, 2)).reshape(groups, 1, -1)


def product(a: Tensor, b: Tensor, shift: Tensor | None) -> Tensor:
    """The sum a @ b + shift of (G, m, k), (G, k, n) and (G, 1, n)."""
    if len(a) == 1:  # plain matrices take a third less time
        return (a[0] @ b[0] if shift is None else torch.addmm(shift[0], a[0], b[0]))[None]
    return torch.bmm(a, b) if shift is None else torch.baddbmm(shift, a, b)


def add_product(out: Tensor, a: Tensor, b: Tensor) -> None:
    """Add a @ b to out, of matrices or of batches of them."""
    (out.addmm_ if out.dim() == 2 else out.baddbmm_)(a, b)


def tile_kernel(kernel: Tensor, size: Size, tile: Size) -> Tensor:
    """The kernel between tiles of bh x bw pixels, which is that of a padded convolution again.

    Args:
        kernel: (G, C, C, kh, kw).
        size: (H, W) of the maps; taps that reach beyond them are left out.
        tile: (bh, bw).

    Returns:
        (G, k'h, k'w, bh, bw, C, bh, bw, C): the effect on a pixel of a tile of a pixel of the
        tile 0, 1, ... rows and 0, 1, ... columns of tiles nearer to the corner.
    """
    _, _, _, kh, kw = kernel.shape
    down, down_inside = _distances(kh, size[0], tile[0], kernel)  # (k'h, bh, bh)
    across, across_inside = _distances(kw, size[1], tile[1], kernel)  # (k'w, bw, bw)
    taps = kernel.flip(3, 4)[..., down, :] * down_inside[..., None]
    taps = taps[..., across] * across_inside  # (G, C, C, k'h, bh, bh, k'w, bw, bw)
    return taps.permute(0, 3, 6, 4, 7, 1, 5, 8, 2)


def _distances(k: int, side: int, b: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Distances (k', b, b) of an output and an input pixel, and which of them are in the kernel."""
    tiles = min(-(-(k - 1) // b), -(-side // b) - 1) + 1
    pixel = torch.arange(b, device=like.device)
    distance = (
        pixel[:, None] - pixel + torch.arange(0, tiles * b, b, device=like.device)[:, None, None]
    )
    inside = (distance >= 0) & (distance < k)
    return distance.clamp(0, k - 1), inside.to(like.dtype)
