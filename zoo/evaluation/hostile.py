"""Counts of images that come back, and in which precision: of data sets, and hostile ones."""

import math
import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from zoo.devices import synchronize
from zoo.errors import NotInvertibleError
from zoo.evaluation.batches import Progress, batches
from zoo.exact.amplification import amplification, worst_images
from zoo.exact.patterns import hard_images, mosaics
from zoo.exact.round_trip import precision
from zoo.flow import Flow

# Test images that amplification is measured on, and those from which the worst are searched.
MEASURED, STARTS = 100, 4


class RoundTrips(NamedTuple):
    """Counts and times of encoding images and decoding them again.

    Attributes:
        exact: Number that came back.
        float32: Number that were encoded in float32.
        float64: Number that needed float64.
        kept: Number that needed their pixels kept in the latents.
        refused: Number that `encode` refused.
        encode_s: Seconds of encoding, with verification.
        decode_s: Seconds of decoding.
    """

    exact: int = 0
    float32: int = 0
    float64: int = 0
    kept: int = 0
    refused: int = 0
    encode_s: float = 0.0
    decode_s: float = 0.0

    @property
    def timed(self) -> int:
        """Number of images encoded in the seconds measured."""
        return self.float32 + self.float64 + self.kept

    @classmethod
    def total(cls, trips: Iterable["RoundTrips"]) -> "RoundTrips":
        """Add up the round trips of all parts."""
        return cls(*map(sum, zip(*trips, strict=True)))


def round_trips(
    flow: Flow, images: Tensor, batch_size: int, task: str, progress: Progress
) -> RoundTrips:
    """Encode images and decode them again.

    Args:
        flow: In eval mode.
        images: uint8 (N, C, H, W).
        batch_size: Images at a time.
        task: Name for `progress`.
        progress: Called with the task and the number of images just done.
    """
    parts = batches(images, batch_size, task, progress)
    return RoundTrips.total(_round_trip(flow, batch.to(flow.device)) for batch in parts)


def hostile(flow: Flow, natural: Tensor, batch_size: int, progress: Progress) -> dict[str, Any]:
    """Round trips and amplification of images that no data set holds, in JSON types.

    Measured on `hard_images` and on images found by gradient ascent on the amplification, at the
    flow's size and at twice it; and for comparison the amplification of natural images.

    Args:
        flow: In eval mode.
        natural: Images of the data set, uint8 (N, C, H, W) of the flow's size.
        batch_size: Images at a time.
        progress: Called with "hostile" and the number of images just done.
    """
    sets = _sets(flow, natural)
    sets["worst found"] = worst_images(flow, sets["worst found"].to(flow.device)).cpu()
    return {
        name: {
            "images": len(images),
            **_counts(round_trips(flow, images, batch_size, "hostile", progress)),
            "amplification": finite(float(amplification(flow, images.to(flow.device)).max())),
        }
        for name, images in sets.items()
    }


def hostile_count(flow: Flow, natural: Tensor) -> int:
    """Number of images that `hostile` measures."""
    return sum(map(len, _sets(flow, natural).values()))


def _sets(flow: Flow, natural: Tensor) -> dict[str, Tensor]:
    """The images that `hostile` measures; of the worst, where their search starts."""
    natural = natural[:MEASURED].cpu()
    hard = hard_images(flow.config.channels, flow.config.size, natural)
    return {
        "patterns": hard,
        "worst found": torch.cat([natural[:STARTS], hard[-STARTS:]]),
        "twice as wide": mosaics(hard),
        "data set": natural,
        "data set, twice as wide": mosaics(natural),
    }


def finite(value: float) -> float | None:
    """The value, or None for infinity, which JSON does not have."""
    return None if math.isinf(value) else value


def _counts(trips: RoundTrips) -> dict[str, int]:
    names = ("exact", "float32", "float64", "kept", "refused")
    return {name: getattr(trips, name) for name in names}


def _round_trip(flow: Flow, images: Tensor) -> RoundTrips:
    start = time.perf_counter()
    try:
        z = flow.encode(images)
    except NotInvertibleError:
        if len(images) > 1:  # of the others some may come back
            return RoundTrips.total(_round_trip(flow, image) for image in images.split(1))
        return RoundTrips(refused=1)
    middle = time.perf_counter()
    back = flow.decode(z, (images.shape[2], images.shape[3]))
    synchronize()
    end = time.perf_counter()
    exact = int((back == images).flatten(1).all(1).sum())
    return RoundTrips(exact, **precision(z), encode_s=middle - start, decode_s=end - middle)
