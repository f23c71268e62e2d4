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

from collections.abc import Iterator

import torch
from torch import Tensor

# Odd numbers below 2^31, so that products with 16-bit numbers do not overflow 63 bits.
FACTORS = (0x45D9F3B, 0x2545F491, 0x1B873593, 0x27D4EB2F)
PART = 2**20


def keep_pixels(z: Tensor, images: Tensor) -> Tensor:
    """Latents (B, D) in float64 that carry images, uint8 (B, C, H, W) of D pixels each."""
    bits, bytes_ = z.contiguous().view(torch.int64), images.flatten(1)
    kept = torch.empty_like(bits)
    for part in _parts(bits):
        head, pixels = bits[:, part] >> 16, bytes_[:, part].long()
        kept[:, part] = head << 16 | _check(head, pixels, part.start) << 8 | pixels
    return kept.view(torch.float64)


def kept_pixels(z: Tensor) -> tuple[Tensor, Tensor]:
    """Find rows of float64 latents (B, D) that carry pixels, (B,) bool, and last bytes (B, D).

    Where no row does, the last bytes are those that were looked at to see it.
    """
    bits = z.contiguous().view(torch.int64)
    right = torch.ones(len(bits), dtype=torch.bool, device=bits.device)
    pixels = torch.zeros(bits.shape, dtype=torch.uint8, device=bits.device)
    for part in _parts(bits):
        head, low = bits[:, part] >> 16, bits[:, part] & 255
        check = _check(head, low, part.start)
        right &= ((bits[:, part] >> 8) & 255 == check).all(1)
        pixels[:, part] = low
        if not right.any():
            break
    return right, pixels


def _parts(bits: Tensor) -> Iterator[slice]:
    """Parts of the rows: large latents are not held many times over."""
    for start in range(0, bits.shape[1], PART):
        yield slice(start, start + PART)


def _check(head: Tensor, pixels: Tensor, start: int) -> Tensor:
    """8 bits of each number's upper 48, of its pixel, and of where it stands, from start on."""
    place = torch.arange(start, start + head.shape[1], device=head.device)
    words = (head & 0xFFFF, head >> 16 & 0xFFFF, head >> 32 & 0xFFFF, place * 256 + pixels & 0xFFFF)
    mixed = torch.zeros_like(head)
    for word, factor in zip(words, FACTORS, strict=True):
        mixed = (mixed ^ word * factor) * 5 & 0xFFFFFFFFFFFF
        mixed = mixed ^ mixed >> 15
    return mixed >> 24 & 255
