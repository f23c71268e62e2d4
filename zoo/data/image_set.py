"""What every data set of images is."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal

from torch import Tensor

Split = Literal["train", "val", "test"]


class ImageSet(ABC):
    """A data set of images in a folder; each split is one tensor."""

    def splits(self, directory: Path) -> tuple[Split, ...]:
        """The splits that its files have; without "val", validation is split from train."""
        return ("train", "test")

    @abstractmethod
    def load(self, directory: Path, split: Split) -> Tensor:
        """All images of one of its splits, uint8 (N, C, H, W), to be read only.

        Raises:
            DataError: If files are missing, damaged or not of this data set.
        """
