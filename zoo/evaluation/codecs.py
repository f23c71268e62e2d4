"""Bits/dim of lossless image files: what a flow of photographs is measured against."""

import io
from typing import Any

import torch
from torch import Tensor

from zoo.pictures import to_picture

# Codecs at Pillow's best effort: one picture a file, headers included.
CODECS: dict[str, dict[str, Any]] = {
    "PNG": {"optimize": True},
    "WebP": {"lossless": True, "quality": 100, "method": 6},
}
IMAGES = 1008


def codec_bits(images: Tensor) -> dict[str, float]:
    """Mean bits/dim of each lossless codec over at most IMAGES of uint8 (N, C, H, W), evenly."""
    chosen = torch.linspace(0, len(images) - 1, min(IMAGES, len(images))).long().unique()
    pictures = [to_picture(image) for image in images[chosen]]
    numbers = images[0].numel() * len(pictures)
    return {
        codec: 8 * sum(_bytes(picture, codec, options) for picture in pictures) / numbers
        for codec, options in CODECS.items()
    }


def _bytes(picture: Any, codec: str, options: dict[str, Any]) -> int:
    data = io.BytesIO()
    picture.save(data, codec, **options)
    return data.tell()
