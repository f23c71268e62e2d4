"""Two ways of finding directions: how far one must go, and how much else changes on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from sklearn.neural_network import MLPClassifier
from torch import Tensor

import zoo
from zoo.data import Split, find_image_set
from zoo.errors import DataError
from zoo.flow import Flow
from zoo.latents import Direction, Directions, attributes
from zoo.sources import MODELS

# The first two are moved along; all are looked at.
GOALS = ("slant", "stroke_width", "brightness")
# The paper's formula, and least squares by its ridge.
METHODS = {"paper": {"method": "paper"}, "0.1": {"ridge": 0.1}, "1": {"ridge": 1.0}}
ALPHAS = torch.arange(1.0, 25.0)
BATCH = 250


class Data(NamedTuple):
    """Test images, what a flow and a classifier make of them, and what changes are measured in.

    Attributes:
        images: uint8 (N, C, H, W), all classified rightly.
        z: Their latents (N, D).
        labels: Their classes (N,).
        classify: Gives the classes (B,) of images.
        deviations: Standard deviation of each attribute over the data.
    """

    images: Tensor
    z: Tensor
    labels: Tensor
    classify: Callable[[Tensor], Tensor]
    deviations: dict[str, float]


class Way(NamedTuple):
    """A goal, and where to go for it.

    Attributes:
        goal: As in `Row`.
        method: As in `Row`.
        correlation: As in `Row`.
        vectors: (N, D), one for each image.
    """

    goal: str
    method: str
    correlation: float
    vectors: Tensor


class Row(NamedTuple):
    """One way to one goal. All from pixels on are means over the images that reach it.

    Attributes:
        goal: "class", or the attribute that is to grow by a standard deviation.
        method: "paper", or the ridge of least squares.
        correlation: Mean correlation of where training images lie along it with the goal.
        reached: Share of the images that reach the goal within a step of 24.
        alpha: Median length of the step to the goal, over all images.
        pixels: Root mean square of the changes of an image's pixels, in grey levels.
        bits_per_dim: Growth of the bits/dim.
        kept_class: Share whose class stays.
        slant: Change, up or down, in standard deviations of the data.
        stroke_width: The same.
        brightness: The same.
    """

    goal: str
    method: str
    correlation: float
    reached: float
    alpha: float
    pixels: float
    bits_per_dim: float
    kept_class: float
    slant: float
    stroke_width: float
    brightness: float


def measure(name: str, data_dir: Path, found_in: int, tested: int, seed: int) -> list[Row]:
    """All ways to another class of digits, and to more of each attribute.

    Args:
        name: A flow of a data set with labels.
        data_dir: Folder of the data sets.
        found_in: Number of training images that directions and the classifier are of.
        tested: Number of test images to move.
        seed: Of the classifier.
    """
    flow = zoo.load(name)
    train, labels = _split(name, data_dir, "train", found_in)
    z, values = _encode(flow, train), attributes.measure(train, GOALS)
    data = _tested(flow, _classifier(train, labels, seed), values, name, data_dir, tested)
    rows = []
    for method, options in METHODS.items():
        classes = zoo.directions(z, labels, flow=flow, **options)
        kinds = zoo.directions(z, values, flow=flow, **options)
        rows.append(_to_class(flow, data, classes, method))
        rows += [_to_attribute(flow, data, kinds[goal], method) for goal in GOALS[:2]]
    return sorted(rows, key=lambda row: row.goal)


def _split(name: str, data_dir: Path, split: Split, count: int) -> tuple[Tensor, Tensor]:
    """The first images of a split and their classes."""
    images = find_image_set(MODELS[name].dataset)
    labels = images.labels(data_dir, split)
    if labels is None:
        raise DataError(f"there are no labels of {MODELS[name].dataset} in {data_dir}.")
    return images.load(data_dir, split)[:count], torch.tensor(labels[:count])


def _encode(flow: Flow, images: Tensor) -> Tensor:
    return torch.cat([flow.encode(batch, exact=False) for batch in images.split(BATCH)])


def _classifier(images: Tensor, labels: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    """A net with one hidden layer, of pixels."""
    net = MLPClassifier((128,), early_stopping=True, max_iter=50, random_state=seed)
    net.fit(_rows(images), labels.numpy())
    return lambda images: torch.from_numpy(net.predict(_rows(images)))


def _rows(images: Tensor) -> np.ndarray:
    return images.flatten(1).float().div(255).numpy()


def _tested(
    flow: Flow,
    classify: Callable[[Tensor], Tensor],
    values: dict[str, Tensor],
    name: str,
    data_dir: Path,
    count: int,
) -> Data:
    images, labels = _split(name, data_dir, "test", 2 * count)
    right = (classify(images) == labels).nonzero().flatten()[:count]
    images, labels = images[right], labels[right]
    deviations = {name: float(values[name].std()) for name in GOALS}
    return Data(images, _encode(flow, images), labels, classify, deviations)


def _to_class(flow: Flow, data: Data, found: Directions, method: str) -> Row:
    """Every image to one other class, all other classes in turn."""
    classes = len(found.names)
    wanted = (data.labels + 1 + torch.arange(len(data.labels)) % (classes - 1)) % classes

    def reached(images: Tensor, rows: Tensor) -> Tensor:
        return data.classify(images) == wanted[rows]

    way = Way("class", method, float(found.correlation.mean()), found.vectors[wanted])
    return _row(flow, data, way, reached)


def _to_attribute(flow: Flow, data: Data, found: Direction, method: str) -> Row:
    measured = attributes.ATTRIBUTES[found.name]
    start = measured(data.images)

    def reached(images: Tensor, rows: Tensor) -> Tensor:
        return measured(images) - start[rows] >= data.deviations[found.name]

    way = Way(found.name, method, found.correlation, found.vector.expand_as(data.z))
    return _row(flow, data, way, reached)


def _row(flow: Flow, data: Data, way: Way, reached: Callable[[Tensor, Tensor], Tensor]) -> Row:
    """Go along the vectors until each image reaches its goal; look at what it became."""
    alphas, images = torch.full((len(data.z),), torch.inf), data.images.clone()
    for alpha in ALPHAS:
        rows = alphas.isinf().nonzero().flatten()
        if not len(rows):
            break
        moved = flow.decode(data.z[rows] + alpha * way.vectors[rows])
        there = reached(moved, rows)
        alphas[rows[there]], images[rows[there]] = alpha, moved[there]
    there = alphas.isfinite()
    before, after = data.images[there], images[there]
    return Row(
        *way[:3],
        reached=float(there.double().mean()),
        alpha=float(alphas.median()),
        pixels=float((after.double() - before).square().mean((1, 2, 3)).sqrt().mean()),
        bits_per_dim=float((_bits(flow, after) - _bits(flow, before)).mean()),
        kept_class=float((data.classify(after) == data.labels[there]).double().mean()),
        **_changes(before, after, data.deviations),
    )


def _bits(flow: Flow, images: Tensor) -> Tensor:
    return flow.bits_per_dim(images, noise=0.5)


def _changes(before: Tensor, after: Tensor, deviations: dict[str, float]) -> dict[str, float]:
    old, new = (attributes.measure(images, GOALS) for images in (before, after))
    return {name: float((new[name] - old[name]).abs().mean()) / deviations[name] for name in GOALS}
