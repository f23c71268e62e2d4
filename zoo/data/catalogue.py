"""Data sets by name, and how each is cited and licensed."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from torch import Tensor

from zoo.architectures.plugins import load_installed
from zoo.data.celeba import CelebA64
from zoo.data.digits import Digits
from zoo.data.image_set import ImageSet, Split
from zoo.data.npz import IMAGENET32, IMAGENET64
from zoo.data.official import SOURCES
from zoo.data.photos import Photos
from zoo.data.picture_folder import FolderOfImages
from zoo.errors import ArgumentError, DataError, suggest
from zoo.files import user_path

FOLDER, PHOTOS = "folder", "photos"
Splits = Literal["folders", "none"]


@dataclass(frozen=True)
class DatasetFacts:
    """A data set as the cards name it.

    Attributes:
        title: Its name.
        hub: Its id on the Hugging Face Hub, if it is there.
        licence: Authors and licence if its images may be redistributed, else None.
    """

    title: str
    hub: str | None = None
    licence: str | None = None


IMAGE_SETS: dict[str, ImageSet] = {}
FACTS: dict[str, DatasetFacts] = {
    FOLDER: DatasetFacts("a folder of images"),
    PHOTOS: DatasetFacts("photographs"),
}


def register_dataset(name: str, image_set: ImageSet, facts: DatasetFacts) -> None:
    """Register a data set: training, evaluation and cards then take it by its name.

    Args:
        name: Lower-case letters, digits and underscores.
        image_set: Loads its images.
        facts: Facts about it, for cards.

    Raises:
        ArgumentError: If the name is taken or none, or it is no data set.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or name in FACTS:
        raise ArgumentError(
            f"{name!r} cannot name a data set: it is taken, or not of a-z, 0-9 and _."
        )
    if not isinstance(image_set, ImageSet):
        raise ArgumentError(f"{name} must be a zoo.ImageSet; got {type(image_set).__name__}.")
    IMAGE_SETS[name], FACTS[name] = image_set, facts


def list_datasets() -> list[str]:
    """Names of the data sets: the zoo's, and those that plugins registered."""
    load_installed()
    return sorted(FACTS)


def facts_of(name: str) -> DatasetFacts:
    """Facts about a data set; of an unknown one, its name."""
    if name not in FACTS:
        load_installed()
    return FACTS.get(name, DatasetFacts(name))


MNIST = DatasetFacts("MNIST", "ylecun/mnist", "Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0")
FASHION = DatasetFacts("Fashion-MNIST", "zalando-datasets/fashion_mnist", "Zalando SE; MIT")
DIGITS = DatasetFacts("scikit-learn's digits", None, "E. Alpaydin, C. Kaynak; CC BY 4.0")
# Galaxies that do not interact, of Ackermann et al. (2018), as Emerging convolutions and CInC Flow
# use them: github.com/SpaceML/merger_transfer_learning, unpacked; training, validation and test.
GALAXY = FolderOfImages("galaxy_mergers/noninteracting", (32, 32), 3)
GALAXIES = DatasetFacts("galaxies that do not interact (Ackermann et al., 2018)")

register_dataset("mnist", SOURCES["mnist"], MNIST)
register_dataset("fashion_mnist", SOURCES["fashion_mnist"], FASHION)
register_dataset("cifar10", SOURCES["cifar10"], DatasetFacts("CIFAR-10", "uoft-cs/cifar10"))
register_dataset("imagenet32", IMAGENET32, DatasetFacts("downsampled ImageNet, 32 x 32"))
register_dataset("imagenet64", IMAGENET64, DatasetFacts("downsampled ImageNet, 64 x 64"))
register_dataset("celeba64", CelebA64(), DatasetFacts("CelebA, 64 x 64"))
register_dataset("galaxy", GALAXY, GALAXIES)
register_dataset("digits", Digits(), DIGITS)


def find_image_set(
    name: str,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    splits: Splits = "folders",
) -> ImageSet:
    """The data set of this name.

    Args:
        name: One of `list_datasets`.
        size: (H, W) of the images of a folder.
        channels: 1 or 3, of the images of a folder.
        splits: "none" if sub-folders of a folder are no splits, whatever their names.

    Raises:
        DataError: If the name is unknown, or a folder's images are given no size.
    """
    if name not in FACTS:
        load_installed()
    if name in IMAGE_SETS:
        return IMAGE_SETS[name]
    if name not in (FOLDER, PHOTOS):
        raise DataError(f"no data set {name!r}.{suggest(name, FACTS)}")
    if size is None or min(size) < 1:
        raise DataError(
            "images of a folder need a size to be resized to: data.size, a side or [height, width]."
        )
    if channels not in (1, 3):
        raise DataError(f"images of a folder have 1 or 3 channels; got {channels}.")
    if name == PHOTOS:
        return Photos(size, channels)
    return FolderOfImages("", size, channels, by_folders=splits == "folders")


def load_images(
    name: str,
    directory: str | Path,
    split: Split,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    splits: Splits = "folders",
) -> Tensor:
    """All images of a split, uint8 (N, C, H, W), in memory or memory-mapped; to be read only.

    Args:
        name: One of `list_datasets`. "digits" is scikit-learn's tiny set of 8 x 8 digits.
        directory: Folder that holds, or will hold, the official files; or the folder of images.
        split: "train", "test", "val" if the data set has a validation split of its own, or "all".
        size: (H, W) of the images of a folder.
        channels: 1 or 3, of the images of a folder.
        splits: "none" if sub-folders of a folder are no splits, whatever their names.

    Raises:
        DataError: If the name is unknown, the data set has no such split, or files are missing or
            damaged.
    """
    image_set, folder = find_image_set(name, size, channels, splits), user_path(directory)
    if split == "val" and split not in image_set.splits(folder):
        raise DataError(f"{name} has no validation split of its own; ImageData splits train.")
    return image_set.load(folder, split)
