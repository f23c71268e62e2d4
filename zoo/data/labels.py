"""The labels of data sets as numbers of classes."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.errors import DataError

Names = Sequence[str | int]


def read_labels(image_set: ImageSet, directory: Path, split: Split) -> Names:
    """The label of each image of a split.

    Raises:
        DataError: If the data set has none, or an image of a folder.
    """
    found = image_set.labels(directory, split) or [None]
    labels = [label for label in found if label is not None]
    if len(labels) < len(found):
        raise DataError(
            f"the {split} split in {directory.resolve()} lacks labels, and a flow with classes "
            "needs one of each image. Take mnist, fashion_mnist or cifar10 with all their files, "
            "or a folder with a sub-folder for each class; or set classes to 0 in model.overrides."
        )
    return labels


def class_names(labels: Names, classes: int) -> list[str | int]:
    """Labels that there are, sorted: the class of each is its place.

    Raises:
        DataError: If they are not so many.
    """
    names = [name if isinstance(name, str) else int(name) for name in sorted(set(labels))]
    if len(names) != classes:
        raise DataError(
            f"the data set has {len(names)} classes, the flow {classes}. Set classes to "
            f"{len(names)} in model.overrides."
        )
    return names


def class_numbers(labels: Names, names: Names) -> Tensor:
    """Class of each image, (N,) int64.

    Raises:
        DataError: If a label is not among the names.
    """
    numbers = {name: number for number, name in enumerate(names)}
    if unknown := set(labels) - set(numbers):
        raise DataError(
            f"label {min(unknown)!r} is none of the {len(names)} classes that the flow has: "
            f"{', '.join(map(str, names[:10]))}. Remove its images, or train with it."
        )
    return torch.tensor([numbers[label] for label in labels])
