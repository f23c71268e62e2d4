"""Randomness as a function: of a seed, of names and counters, and of the image it is for.

No hidden state: a resumed run draws what the uninterrupted one draws, validation does not shift
what training draws, and it does not matter how many ranks share the images.
"""

import hashlib

import torch
from torch import Tensor

from zoo.bijections.preprocess import LARGEST_NOISE

# The constants of SplitMix64 (Steele, Lea & Flood, Fast splittable pseudorandom number generators,
# 2014), as signed integers.
GAMMA = 0x9E3779B97F4A7C15 - 2**64
FIRST, SECOND = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def key(*parts: int | str) -> int:
    """63 bits that depend on every part."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: int | str) -> torch.Generator:
    """A generator seeded by the parts; on the CPU."""
    return torch.Generator().manual_seed(key(*parts))


def dequantization_noise(images: Tensor, *parts: int | str) -> Tensor:
    """Uniform noise in [0, 1), float32 of the images' shape; arguments as for `uniform`."""
    return uniform(images, images[0].numel(), *parts).view(images.shape)


def uniform(images: Tensor, count: int, *parts: int | str) -> Tensor:
    """Numbers in [0, 1) for each image, (B, count) float32, the same on every kind of device.

    They are the output of SplitMix64, started from the parts and the image.

    Args:
        images: uint8 (B, C, H, W).
        count: Number of numbers for an image.
        *parts: Integers and words that they are a function of, beside the image.
    """
    pixels = images.flatten(1).long()  # (B, D)
    digest = (pixels * _mix(_counters(pixels.shape[1], images.device))).sum(1, keepdim=True)
    bits = _mix(_mix(digest + key(*parts)) + _counters(count, images.device))
    # 24 bits, what a float32 in [0, 1) holds.
    return (_shift(bits, 40) / 2**24).clamp_(max=LARGEST_NOISE)


def _counters(count: int, device: torch.device) -> Tensor:
    return torch.arange(1, count + 1, device=device) * GAMMA


def _mix(z: Tensor) -> Tensor:
    """A bijection of 64 bits that looks random; products wrap around."""
    z = (z ^ _shift(z, 30)) * FIRST
    z = (z ^ _shift(z, 27)) * SECOND
    return z ^ _shift(z, 31)


def _shift(z: Tensor, bits: int) -> Tensor:
    """Shift right with zeros coming in; torch's own shift repeats the sign."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)
