"""Whole photographs of a folder, at their full size: their likelihood, and that they come back."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch

import zoo
from zoo.evaluation.codecs import CODECS, codec_bits
from zoo.exact.round_trip import precision
from zoo.flow import Flow
from zoo.pictures import list_pictures


class Row(NamedTuple):
    """One photograph.

    Attributes:
        model: Name of the flow.
        photograph: Name of its file.
        height: In pixels.
        width: In pixels.
        bits_per_dim: From one draw of the dequantization, without the last rows and columns where
            the flow does not take the size.
        png: Bits/dim of its file.
        webp: The same, lossless.
        exact: Whether it came back bit for bit.
        precision: "float32", "float64" or "kept" pixels.
        seconds: Encoding took, with verification.
    """

    model: str
    photograph: str
    height: int
    width: int
    bits_per_dim: float
    png: float
    webp: float
    exact: bool
    precision: str
    seconds: float


def measure(model: str, folder: Path) -> Iterator[Row]:
    """A row for each photograph of a folder."""
    flow = zoo.load(model)
    for file in list_pictures(folder).pictures:
        yield _row(flow, model, file)


def _row(flow: Flow, model: str, file: Path) -> Row:
    (image,) = zoo.read_images([file], flow)
    start = time.perf_counter()
    (encoded,) = flow.encode([image])
    seconds = time.perf_counter() - start
    (back,) = flow.decode([encoded])
    took = precision(encoded.z[None])
    height, width = image.shape[1:]
    coded = codec_bits(image[None])
    return Row(
        *(model, file.name, height, width, _bits_per_dim(flow, image)),
        *(coded[codec] for codec in CODECS),
        *(torch.equal(back, image), max(took, key=took.__getitem__), seconds),
    )


@torch.no_grad()
def _bits_per_dim(flow: Flow, image: torch.Tensor) -> float:
    divisor = 2**flow.config.levels
    height, width = (side // divisor * divisor for side in image.shape[1:])
    generator = torch.Generator().manual_seed(0)
    return float(flow.bits_per_dim(image[None, :, :height, :width], generator=generator))
