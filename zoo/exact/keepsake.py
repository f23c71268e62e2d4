"""Pixels kept in the last bits of float64 latents: the way back that cannot fail.

Some flows forget an image: they amplify rounding errors until not even float64 finds it again. The
latents of such an image then carry its pixels. A latent vector has as many numbers as the image has
pixels, and a float64 has 52 bits of mantissa. The last 16 of each hold one pixel and a check of 8
bits; the number itself changes by 2^-36 of its size, far less than such a flow can tell.

Format: number i of a row carries pixel i of the flattened (C, H, W) image. With `bits` the number
as a 64-bit integer, `head = bits >> 16` and `pixel = bits & 255`, the row is a keepsake if
`(bits >> 8) & 255` equals the check of (head, pixel, i) for *every* i. Ordinary latents of D
numbers pass with a probability of 2^(-8 D). Arithmetic on latents breaks the check, and what comes
of it is decoded like any latents.
"""

import torch
from torch import Tensor

# Odd numbers below 2^31, so that products with 16-bit numbers do not overflow 63 bits.
FACTORS = (0x45D9F3B, 0x2545F491, 0x1B873593, 0x27D4EB2F)


def keep_pixels(z: Tensor, images: Tensor) -> Tensor:
    """Latents (B, D) in float64 that carry images, uint8 (B, C, H, W) of D pixels each."""
    head, pixels = z.view(torch.int64) >> 16, images.flatten(1).long()
    return (head << 16 | _check(head, pixels) << 8 | pixels).view(torch.float64)


def kept_pixels(z: Tensor) -> tuple[Tensor, Tensor]:
    """Find rows of float64 latents (B, D) that carry pixels, (B,) bool, and last bytes (B, D)."""
    bits = z.contiguous().view(torch.int64)
    pixels = bits & 255
    right = (bits >> 8) & 255 == _check(bits >> 16, pixels)
    return right.all(1), pixels.to(torch.uint8)


def _check(head: Tensor, pixels: Tensor) -> Tensor:
    """8 bits of each number's upper 48, of its pixel, and of where it stands."""
    place = torch.arange(head.shape[1], device=head.device)
    words = (head & 0xFFFF, head >> 16 & 0xFFFF, head >> 32 & 0xFFFF, place * 256 + pixels & 0xFFFF)
    mixed = torch.zeros_like(head)
    for word, factor in zip(words, FACTORS, strict=True):
        mixed = (mixed ^ word * factor) * 5 & 0xFFFFFFFFFFFF
        mixed = mixed ^ mixed >> 15
    return mixed >> 24 & 255
