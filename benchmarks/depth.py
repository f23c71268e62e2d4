"""Sampling time over the depth of a flow: by ours, and by the papers' sequential algorithm."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch

from benchmarks.flows import random_flow
from benchmarks.sequential import use_sequential
from benchmarks.timing import interleaved_medians

DEPTHS = (4, 8)
SIZE = "paper_cifar10"
OURS, SEQUENTIAL = "ours", "sequential"
CONTESTANTS = (
    *((name, OURS) for name in ("glow", "emerging", "cinc", "cinc_quad", "finc")),
    ("emerging", SEQUENTIAL),
)
# Seconds of CInC's poster, by the number of steps of a level.
POSTER = {
    **{("emerging", SEQUENTIAL, 4): 2.45, ("cinc", OURS, 4): 1.31},
    **{("emerging", SEQUENTIAL, 8): 4.96, ("cinc", OURS, 8): 2.76},
}


class Row(NamedTuple):
    """Sampling of one flow.

    Attributes:
        flow: Architecture, in the paper's size but for its depth.
        algorithm: "ours", or "sequential": pixel after pixel.
        steps: Steps of each level.
        parameters: Number of parameters.
        images: Images in a batch.
        seconds: Median for the batch, on one thread.
        poster: Seconds of CInC's poster for 100 images, on their machine, if it has the flow.
    """

    flow: str
    algorithm: str
    steps: int
    parameters: int
    images: int
    seconds: float
    poster: float | None


@torch.no_grad()
def measure(images: int, repeats: int, **changes: Any) -> list[Row]:
    """Time all flows of all depths, interleaved.

    Args:
        images: Images in a batch.
        repeats: Turns.
        **changes: Of the configurations, besides the depth.
    """
    flows = {
        (name, algorithm, steps): random_flow(name, SIZE, **{**changes, "steps": steps})
        for steps in DEPTHS
        for name, algorithm in CONTESTANTS
    }
    for (_, algorithm, _), flow in flows.items():
        if algorithm == SEQUENTIAL:
            use_sequential(flow)
    calls = {key: partial(flow.sample, images, temperature=0.7) for key, flow in flows.items()}
    with _one_thread():
        times = interleaved_medians(calls, repeats)
    sizes = {key: sum(p.numel() for p in flow.parameters()) for key, flow in flows.items()}
    return [
        Row(
            *key,
            sizes[key],
            images,
            milliseconds / 1000,
            POSTER.get(key) if images == 100 else None,
        )
        for key, milliseconds in times.items()
    ]


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
