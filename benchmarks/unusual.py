"""Scores of pretrained flows: do they tell other images from those of the own data set?"""

from pathlib import Path
from typing import NamedTuple, get_args

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

import zoo
from zoo.data import load_images
from zoo.evaluation.outliers import CONSTANT
from zoo.flow import Flow
from zoo.flow.scores import Method, coded_bits
from zoo.sources import MODELS

BATCH = 100
# Data sets that each one's flows are shown, of their shape or made so.
OTHERS = {
    "mnist": ("fashion_mnist",),
    "fashion_mnist": ("mnist",),
    "cifar10": ("mnist", "fashion_mnist"),
}
COLOURED = "coloured digits"


class Row(NamedTuple):
    """One flow and one other set.

    Attributes:
        model: Name of the flow.
        data: Data set that it was trained on.
        other: The other set.
        images: Images of each, at most.
        likelihood: AUROC by this score: 1 tells all apart, 0.5 is chance, below is inverted.
        typicality: The same.
        complexity: The same.
    """

    model: str
    data: str
    other: str
    images: int
    likelihood: float
    typicality: float
    complexity: float


def models() -> list[str]:
    """Pretrained flows of the data sets that have others."""
    return [name for name in zoo.list_models(pretrained=True) if MODELS[name].dataset in OTHERS]


def measure(name: str, data_dir: Path, count: int, seed: int) -> list[Row]:
    """One row for each set that a model is shown: the first images of each test split."""
    flow, data = zoo.load(name), MODELS[name].dataset
    own = _scores(flow, load_images(data, data_dir, "test")[:count], seed)
    training = _scores(flow, load_images(data, data_dir, "train")[:count], seed)
    typical = training["likelihood"].mean()
    rows = []
    for other, images in _others(data, data_dir, flow, count, seed).items():
        found = _scores(flow, images, seed)
        for scores in (own, found):
            scores["typicality"] = (scores["likelihood"] - typical).abs()
        values = {method: _auroc(own[method], found[method]) for method in get_args(Method)}
        rows.append(Row(name, data, other, count, **values))
    return rows


def _scores(flow: Flow, images: Tensor, seed: int) -> dict[str, Tensor]:
    """Scores (N,) by likelihood and by complexity, as of `Flow.score`, from one draw."""
    generator = torch.Generator().manual_seed(seed)
    parts = [flow.score(batch, "likelihood", generator=generator) for batch in images.split(BATCH)]
    bits = torch.cat(parts)
    return {"likelihood": bits, "complexity": bits - coded_bits(images)}


def _auroc(own: Tensor, other: Tensor) -> float:
    truth = torch.cat([torch.zeros(len(own)), torch.ones(len(other))])
    return float(roc_auc_score(truth, torch.cat([own, other])))


def _others(data: str, data_dir: Path, flow: Flow, count: int, seed: int) -> dict[str, Tensor]:
    """Other sets of images of the flow's shape."""
    channels, (height, width) = flow.config.channels, flow.config.size
    grey = torch.arange(256, dtype=torch.uint8).view(-1, 1, 1, 1)
    found = {
        name: _fit(load_images(name, data_dir, "test")[:count], channels, (height, width))
        for name in OTHERS[data]
    }
    if channels == 3:
        found[COLOURED] = coloured(found["mnist"][:, :1], seed)
    return {**found, CONSTANT: grey.expand(-1, channels, height, width)}


def _fit(images: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
    """Padded with black to a size, and of as many equal channels."""
    top, left = ((a - b) // 2 for a, b in zip(size, images.shape[2:], strict=True))
    padded = F.pad(images, (left, left, top, top))
    return padded.expand(-1, channels, -1, -1)


def coloured(digits: Tensor, seed: int) -> Tensor:
    """Blurred digits of one random colour on a ground that fades between two others.

    They stand for photographs of house numbers (SVHN): smooth, of few colours, with one digit.
    """
    generator = torch.Generator().manual_seed(seed)
    ink, left, right = torch.rand(3, len(digits), 3, 1, 1, generator=generator).unbind()
    across = torch.linspace(0, 1, digits.shape[3])
    ground = left + (right - left) * across
    light = F.avg_pool2d(digits.float() / 255, 3, 1, 1)
    return (255 * (light * ink + (1 - light) * ground)).round().to(torch.uint8)
