"""Large photographs: random crops to train on, all crops side by side to measure on."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.data.loader import Images
from zoo.data.noise import generator
from zoo.data.picture_folder import SHARE, official_folders, path_hash, splits_of
from zoo.data.pixel_cache import Pixels, memory_mapped
from zoo.errors import DataError, counted
from zoo.pictures import MODES, list_pictures, open_picture, say_skipped, upright_size

# The most bytes of all photographs' pixels, which are kept decoded beside them.
MOST_BYTES = 2**35


@dataclass(frozen=True)
class Photos(ImageSet):
    """Photographs of any sizes, at their full size.

    Sub-folders train, val and test are the splits. Without them a tenth of the files, by a hash of
    the path, is of the test split, and another tenth of the validation split; of few files at
    least one each. Photographs of more than MOST_BYTES together are reduced by a whole factor, by
    averages, none to less than a crop.

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
        files, factor = self._files(directory, split), self._factor(directory)
        name = f"{split}-crops-{self.size[0]}x{self.size[1]}x{self.channels}{_suffix(factor)}"
        return memory_mapped(
            *(name, directory, files, (self.channels, *self.size)),
            lambda: (self._tiles(file, factor) for file in files),
        )

    def training(self, directory: Path) -> "Crops":
        """Random crops of the training photographs, other ones in every epoch."""
        files, factor = self._files(directory, "train"), self._factor(directory)
        name = f"train-pixels-{self.channels}{_suffix(factor)}"
        pixels = memory_mapped(
            *(name, directory, files, (self.channels,)),
            lambda: (self._pixels(file, factor).reshape(-1, self.channels) for file in files),
        )
        return Crops(pixels, [self._reduced(upright_size(f), factor)[0] for f in files], self.size)

    def _files(self, directory: Path, split: Split) -> list[Path]:
        """The photographs of a split that are large enough for a crop."""
        folders = {} if split == "all" else splits_of(directory)
        found, skipped = list_pictures(folders.get(split, directory) if folders else directory)
        large = [file for file in found if self._is_large(file)]
        if skipped:
            warnings.warn(f"{directory}: {say_skipped(skipped)}", stacklevel=3)
        if small := len(found) - len(large):
            warnings.warn(
                f"{directory}: {counted(small, 'photograph')} skipped, smaller than "
                f"{self.size[0]} x {self.size[1]} pixels.",
                stacklevel=3,
            )
        files = large if folders or split == "all" else _share(large, directory, split)
        if not files:
            raise DataError(
                f"no photographs for the {split} split in {directory.resolve()}: it has "
                f"{len(large)} of {self.size[0]} x {self.size[1]} pixels or larger. Without "
                "sub-folders train, val and test a tenth is for validation and a tenth for the "
                "test. Name a folder with more, by data.dir; or lower data.size and the size in "
                "model.overrides."
            )
        return files

    def _is_large(self, file: Path) -> bool:
        return all(a >= b for a, b in zip(upright_size(file), self.size, strict=True))

    def _factor(self, directory: Path) -> int:
        """The factor by which the sides of all photographs are reduced."""
        places = official_folders(directory).values() or [directory]
        files = (file for place in places for file in list_pictures(place).pictures)
        pixels = sum(math.prod(upright_size(file)) for file in files)
        return max(1, math.ceil(math.sqrt(pixels * self.channels / MOST_BYTES)))

    def _reduced(self, size: tuple[int, int], factor: int) -> tuple[tuple[int, int], int]:
        """(H, W) of a photograph that is reduced, and its factor: none gets smaller than a crop."""
        own = min(factor, *(a // b for a, b in zip(size, self.size, strict=True)))
        return (size[0] // own, size[1] // own), own

    def _pixels(self, file: Path, factor: int) -> Pixels:
        """(H, W, C) of a photograph."""
        picture = open_picture(file, MODES[self.channels])
        (height, width), own = self._reduced((picture.height, picture.width), factor)
        if own > 1:
            picture = picture.reduce(own, box=(0, 0, width * own, height * own))
        return np.asarray(picture).reshape(height, width, self.channels)

    def _tiles(self, file: Path, factor: int) -> Pixels:
        """All crops of a photograph, (N, C, H, W)."""
        (height, width), pixels = self.size, self._pixels(file, factor)
        rows, columns = pixels.shape[0] // height, pixels.shape[1] // width
        whole = pixels[: rows * height, : columns * width]
        tiles = whole.reshape(rows, height, columns, width, self.channels)
        return tiles.transpose(0, 2, 4, 1, 3).reshape(-1, self.channels, height, width)


def _suffix(factor: int) -> str:
    return f"-reduced-{factor}" if factor > 1 else ""


def _share(files: list[Path], directory: Path, split: Split) -> list[Path]:
    """The files of a split: by their hashes; a split that none falls into gets the nearest one."""
    hashes = {file: path_hash(file.relative_to(directory)) for file in files}
    left = sorted(files, key=lambda file: hashes[file])
    shares: dict[str, set[Path]] = {}
    for number, name in enumerate(("test", "val")):
        shares[name] = set([f for f in left if hashes[f] % SHARE == number] or left[:1])
        left = [file for file in left if file not in shares[name]]
    return sorted(shares.get(split, left))


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

    def __str__(self) -> str:
        return f"{len(self):,} crops an epoch of {counted(len(self.sizes), 'photograph')}"

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
