"""Downsampled ImageNet from its official npz files.

The files are those of image-net.org's "Download downsampled image data", npz format, unpacked:

    Imagenet32_train_npz/train_data_batch_1.npz ... train_data_batch_10.npz
    Imagenet32_val_npz/val_data.npz
    Imagenet64_train_part1_npz/train_data_batch_1.npz ... train_data_batch_5.npz
    Imagenet64_train_part2_npz/train_data_batch_6.npz ... train_data_batch_10.npz
    Imagenet64_val_npz/val_data.npz

Each has "data", uint8 (N, 3 side²), an image's planes of red, green and blue one after the other
(Chrabaszcz, Loshchilov & Hutter, A downsampled variant of ImageNet, 2017). Training images are
1,281,167; the 50,000 official validation images are the test split.
"""

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.data.pixel_cache import Pixels, memory_mapped
from zoo.errors import DataError

BATCHES = 10


@dataclass(frozen=True)
class DownsampledImageNet(ImageSet):
    """ImageNet, resized by its authors.

    Attributes:
        side: 32 or 64.
        train_folders: Official folders of the training files, which share them equally.
    """

    side: int
    train_folders: tuple[str, ...]

    def load(self, directory: Path, split: Split) -> Tensor:
        files = [directory / file for file in self._files(split)]
        if missing := [str(file) for file in files if not file.is_file()]:
            raise DataError(
                f"imagenet{self.side}: missing {', '.join(missing)}. Get the npz files of "
                f"{self.side} x {self.side} at image-net.org, which asks for an account, and "
                "unpack them there."
            )
        shape = (3, self.side, self.side)
        return memory_mapped(
            f"imagenet{self.side}-{split}", directory, files, shape, lambda: _read(files, shape)
        )

    def _files(self, split: Split) -> list[str]:
        if split == "test":
            return [f"Imagenet{self.side}_val_npz/val_data.npz"]
        if split == "all":
            return [*self._files("train"), *self._files("test")]
        share = BATCHES // len(self.train_folders)
        return [
            f"{self.train_folders[batch // share]}/train_data_batch_{batch + 1}.npz"
            for batch in range(BATCHES)
        ]


def _read(files: Sequence[Path], shape: tuple[int, int, int]) -> Iterator[Pixels]:
    for file in files:
        try:
            with np.load(file, allow_pickle=False) as arrays:
                data = arrays["data"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DataError(f"{file} cannot be read: {error}. Unpack it again.") from error
        if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != np.prod(shape):
            raise DataError(
                f"{file} must hold uint8 (N, {np.prod(shape)}) as 'data'; got {data.dtype} "
                f"{data.shape}. Are these the files of another size?"
            )
        yield data.reshape(-1, *shape)


IMAGENET32 = DownsampledImageNet(32, ("Imagenet32_train_npz",))
IMAGENET64 = DownsampledImageNet(64, ("Imagenet64_train_part1_npz", "Imagenet64_train_part2_npz"))
