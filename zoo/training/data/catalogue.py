"""Data sets by name."""

from pathlib import Path
from typing import Literal

from torch import Tensor

from zoo.errors import DataError
from zoo.suggest import suggest
from zoo.training.data.celeba import CelebA64
from zoo.training.data.digits import Digits
from zoo.training.data.folder import FolderOfImages
from zoo.training.data.image_set import ImageSet, Split
from zoo.training.data.npz import IMAGENET32, IMAGENET64
from zoo.training.data.sources import SOURCES

# Galaxies that do not interact, of Ackermann et al. (2018), as Emerging convolutions and CInC Flow
# use them: github.com/SpaceML/merger_transfer_learning, unpacked; training, validation and test.
GALAXY = FolderOfImages("galaxy_mergers/noninteracting", (32, 32), 3)

IMAGE_SETS: dict[str, ImageSet] = {
    **SOURCES,
    "imagenet32": IMAGENET32,
    "imagenet64": IMAGENET64,
    "celeba64": CelebA64(),
    "galaxy": GALAXY,
    "digits": Digits(),
}
FOLDER = "folder"
Splits = Literal["folders", "none"]
DATASETS = (*IMAGE_SETS, FOLDER)


def find_image_set(
    name: str,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    splits: Splits = "folders",
) -> ImageSet:
    """The data set of this name.

    Args:
        name: One of `DATASETS`.
        size: (H, W) of the images of a folder.
        channels: 1 or 3, of the images of a folder.
        splits: "none" if sub-folders of a folder are no splits, whatever their names.

    Raises:
        DataError: If the name is unknown, or a folder's images are given no size.
    """
    if name in IMAGE_SETS:
        return IMAGE_SETS[name]
    if name != FOLDER:
        raise DataError(f"no data set {name!r}.{suggest(name, DATASETS)}")
    if size is None or min(size) < 1:
        raise DataError(
            "images of a folder need a size to be resized to: data.size, a side or [height, width]."
        )
    if channels not in (1, 3):
        raise DataError(f"images of a folder have 1 or 3 channels; got {channels}.")
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
        name: One of `DATASETS`. "digits" is scikit-learn's tiny set of 8 x 8 digits.
        directory: Folder that holds, or will hold, the official files; or the folder of images.
        split: "train", "test", "val" if the data set has a validation split of its own, or "all".
        size: (H, W) of the images of a folder.
        channels: 1 or 3, of the images of a folder.
        splits: "none" if sub-folders of a folder are no splits, whatever their names.

    Raises:
        DataError: If the name is unknown, the data set has no such split, or files are missing or
            damaged.
    """
    image_set, folder = find_image_set(name, size, channels, splits), Path(directory).expanduser()
    if split == "val" and split not in image_set.splits(folder):
        raise DataError(f"{name} has no validation split of its own; ImageData splits train.")
    return image_set.load(folder, split)
