"""Large photographs: random crops to train on, all crops side by side to measure on."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.data.loader import Images
from zoo.data.noise import generator
from zoo.data.picture_folder import official_folders
from zoo.data.pixel_cache import Pixels, memory_mapped
from zoo.errors import DataError
from zoo.pictures import MODES, list_pictures, open_picture, upright_size

SHARE = 10


@dataclass(frozen=True)
class Photos(ImageSet):
    """Photographs of any sizes, at their full size.

    Sub-folders train, val and test are the splits. Without them a tenth of the files, by a hash of
    the path, is of the test split, and another tenth of the validation split.

    Attributes:
        size: (H, W) of the crops.
        channels: 1 for grey, 3 for RGB.
    """

    size: tuple[int, int]
    channels: int

    def splits(self, directory: Path) -> tuple[Split, ...]:
        return ("train", "val", "test")

    def load(self, directory: Path, split: Split) -> Tensor:
        """All crops of a split, side by side and row by row, uint8 (N, C, H, W)."""
        files = self._files(directory, split)
        name = f"{split}-crops-{self.size[0]}x{self.size[1]}x{self.channels}"
        return memory_mapped(
            *(name, directory, files, (self.channels, *self.size)),
            lambda: (self._tiles(file) for file in files),
        )

    def training(self, directory: Path) -> "Crops":
        """Random crops of the training photographs, other ones in every epoch."""
        files = self._files(directory, "train")
        name = f"train-pixels-{self.channels}"
        pixels = memory_mapped(
            *(name, directory, files, (self.channels,)),
            lambda: (self._pixels(file).reshape(-1, self.channels) for file in files),
        )
        return Crops(pixels, [upright_size(file) for file in files], self.size)

    def _files(self, directory: Path, split: Split) -> list[Path]:
        """The photographs of a split that are large enough for a crop."""
        folders = official_folders(directory)
        found = list_pictures(folders.get(split, directory) if folders else directory).pictures
        files = [
            file
            for file in found
            if (folders or split in ("all", _split_of(file.relative_to(directory))))
            and all(a >= b for a, b in zip(upright_size(file), self.size, strict=True))
        ]
        if not files:
            raise DataError(
                f"no photographs for the {split} split in {directory.resolve()} that are "
                f"{self.size[0]} x {self.size[1]} pixels or larger. Name another folder with "
                "data.dir, or lower data.size."
            )
        return files

    def _pixels(self, file: Path) -> Pixels:
        """(H, W, C) of a photograph."""
        picture = open_picture(file, MODES[self.channels])
        return np.asarray(picture).reshape(picture.height, picture.width, self.channels)

    def _tiles(self, file: Path) -> Pixels:
        """All crops of a photograph, (N, C, H, W)."""
        (height, width), pixels = self.size, self._pixels(file)
        rows, columns = pixels.shape[0] // height, pixels.shape[1] // width
        whole = pixels[: rows * height, : columns * width]
        tiles = whole.reshape(rows, height, columns, width, self.channels)
        return tiles.transpose(0, 2, 4, 1, 3).reshape(-1, self.channels, height, width)


def _split_of(path: Path) -> Split:
    digest = hashlib.sha256(path.as_posix().encode()).digest()
    share = int.from_bytes(digest[:8], "big") % SHARE
    return "test" if share == 0 else "val" if share == 1 else "train"


class Crops(Images):
    """Crops at random places of photographs: a function of seed, epoch and index.

    A photograph is drawn with the probability of its share of all places that a crop can have. An
    epoch has as many crops as cover all photographs once.

    Args:
        pixels: Pixels of all photographs, one after the other, uint8 (P, C).
        sizes: (H, W) of each.
        size: (h, w) of the crops.
    """

    def __init__(self, pixels: Tensor, sizes: list[tuple[int, int]], size: tuple[int, int]) -> None:
        self.sizes, self.size = torch.tensor(sizes), size
        areas = self.sizes.prod(1)
        super().__init__(pixels, torch.arange(int(areas.sum()) // (size[0] * size[1])))
        self.starts = areas.cumsum(0) - areas
        self.places = (self.sizes - torch.tensor(size) + 1).prod(1)

    def __getitems__(self, indices: list[int]) -> Tensor:
        return torch.stack(list(map(self._crop, indices)))

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        return self.__getitems__(self.rows[index].reshape(-1).tolist())

    def _crop(self, index: int) -> Tensor:
        random = generator(*self.place, "crop", index)
        photo = int(torch.multinomial(self.places.double(), 1, generator=random))
        (height, width), (h, w) = self.sizes[photo].tolist(), self.size
        top = int(torch.randint(height - h + 1, (), generator=random))
        left = int(torch.randint(width - w + 1, (), generator=random))
        start = int(self.starts[photo])
        whole = self.images[start : start + height * width].view(height, width, -1)
        return whole[top : top + h, left : left + w].permute(2, 0, 1)
