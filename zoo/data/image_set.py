"""The base class of all data sets of images."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor

from zoo.data.loader import Images

Split = Literal["train", "val", "test", "all"]


class ImageSet(ABC):
    """A data set of images in a folder, the directory; each split is one tensor."""

    def splits(self, directory: Path) -> tuple[Split, ...]:
        """The splits of a directory; without "val", validation is split from train."""
        return ("train", "test")

    @abstractmethod
    def load(self, directory: Path, split: Split) -> Tensor:
        """All images of a split in a directory, or of "all", uint8 (N, C, H, W), to be read only.

        Raises:
            DataError: If files are missing, damaged or not of this data set.
        """

    def training(self, directory: Path) -> Images:
        """Rows to train on: the images of the training split in a directory."""
        return Images(self.load(directory, "train"))

    def names(self, directory: Path, split: Split) -> Sequence[str] | None:
        """Path of each file of a split within the directory; None if images have no files."""
        return None

    def labels(self, directory: Path, split: Split) -> Sequence[str | int | None] | None:
        """Label of each image of a split in a directory; None if nothing here reads them."""
        return None
