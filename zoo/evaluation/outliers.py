"""Likelihood and complexity score of images that are not of a flow's data set."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from zoo.evaluation.batches import Progress, batches
from zoo.flow import Flow
from zoo.flow.scores import CODED_CHANNELS, coded_bits
from zoo.folder.versions import versions

# Another data set of the same shape, for those that have one.
OTHERS = {"mnist": ("fashion_mnist",), "fashion_mnist": ("mnist",)}
TEST = "test split"
CONSTANT = "constant"
IMAGES = 2000
CROPS = 4
# The first and the last bin also hold what lies beyond; equally likely grey levels take 8 bits/dim.
EDGES = torch.linspace(0, 12, 49, dtype=torch.float64)
# A flow's bits/dim less those of a lossless codec.
COMPLEXITY_EDGES = torch.linspace(-6, 6, 49, dtype=torch.float64)


def compared_sets(images: Tensor, others: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The first images of the test split and of others, and all constant grey images.

    Args:
        images: The test split, uint8 (N, C, H, W).
        others: Images of the same shape by the name of their set.
    """
    grey = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, *images.shape[1:])
    return {
        TEST: images[:IMAGES],
        **{name: other[:IMAGES] for name, other in others.items()},
        CONSTANT: grey,
    }


@torch.no_grad()
def histograms(
    flow: Flow, sets: Mapping[str, Tensor], *, batch_size: int, seed: int, progress: Progress
) -> dict[str, Any]:
    """Histograms of the scores of each image, from one draw, over each set.

    Args:
        flow: In eval mode.
        sets: Images of `compared_sets`.
        batch_size: Images at a time.
        seed: Seed of the dequantization of each set.
        progress: Called with "histogram" and the number of images just done.

    Returns:
        `likelihood_histogram`, of bits/dim, and `complexity_histogram`, of complexity scores, where
        images have the channels of a codec. JSON types only. `likelier_share` is the share of a
        set's images with fewer bits/dim than the median image of the test split.
    """
    scores = {
        name: _bits_per_dim(flow, images, batch_size, seed, progress)
        for name, images in sets.items()
    }
    median = scores[TEST].median()
    how = {"draws": 1, "batch_size": batch_size, "seed": seed, "versions": versions(flow)}
    summaries = {name: _summary(score, median) for name, score in scores.items()}
    found = {"likelihood_histogram": {**how, "edges": EDGES.tolist(), "sets": summaries}}
    if flow.config.channels in CODED_CHANNELS:
        counted = {name: _complexity(scores[name], images) for name, images in sets.items()}
        edges = COMPLEXITY_EDGES.tolist()
        found["complexity_histogram"] = {**how, "edges": edges, "sets": counted}
    return found


def _bits_per_dim(
    flow: Flow, images: Tensor, batch_size: int, seed: int, progress: Progress
) -> Tensor:
    generator = torch.Generator(flow.device).manual_seed(seed)
    scores = [
        flow.bits_per_dim(batch.to(flow.device), generator=generator).cpu()
        for batch in batches(images, batch_size, "histogram", progress)
    ]
    return torch.cat(scores)


def _complexity(scores: Tensor, images: Tensor) -> dict[str, Any]:
    return {"images": len(images), "counts": _counts(scores - coded_bits(images), COMPLEXITY_EDGES)}


def _counts(scores: Tensor, edges: Tensor) -> list[int]:
    inside = scores.clamp(edges[0], edges[-1])
    counts: list[int] = torch.histogram(inside, edges).hist.int().tolist()
    return counts


def _summary(scores: Tensor, median: Tensor) -> dict[str, Any]:
    return {
        "images": len(scores),
        "bits_per_dim": float(scores.mean()),
        "bits_per_dim_lowest": float(scores.min()),
        "likelier_share": float((scores < median).double().mean()),
        "counts": _counts(scores, EDGES),
    }


def most_bits(histogram: Mapping[str, Any]) -> float:
    """Upper edge of the last bin of a histogram that holds images of the test split.

    Infinite if it is the last bin of all, which also holds what lies beyond.
    """
    filled = [i for i, count in enumerate(histogram["sets"][TEST]["counts"]) if count]
    edges: list[float] = [*histogram["edges"][:-1], math.inf]
    return edges[filled[-1] + 1]


@torch.no_grad()
def bits_of_crops(flow: Flow, image: Tensor) -> float:
    """Mean bits/dim of crops of the training size from a uint8 (C, H, W) image of any size.

    At most CROPS along each side are taken, evenly. The noise is drawn from a fixed seed.
    """
    sides = [min(a, b) for a, b in zip(image.shape[1:], flow.config.size, strict=True)]
    tops, lefts = map(_places, image.shape[1:], sides)
    crops = [
        image[:, top : top + sides[0], left : left + sides[1]] for top in tops for left in lefts
    ]
    generator = torch.Generator().manual_seed(0)
    return float(flow.bits_per_dim(torch.stack(crops).to(flow.device), generator=generator).mean())


def _places(whole: int, side: int) -> list[int]:
    places: list[int] = torch.linspace(0, whole - side, min(CROPS, whole // side)).int().tolist()
    return places
