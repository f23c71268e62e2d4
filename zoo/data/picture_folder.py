"""Any folder of images, of any sizes, flat or nested."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps
from torch import Tensor

from zoo.data.pixel_cache import memory_mapped
from zoo.data.decode import decode
from zoo.data.image_set import ImageSet, Split
from zoo.errors import DataError

SUBFOLDERS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
TEST_SHARE = 10


@dataclass(frozen=True)
class FolderOfImages(ImageSet):
    """All files below a folder, resized and cropped to one size.

    A sub-folder train makes the sub-folders train, test and, if there is one, val the splits.
    Otherwise every tenth file, by a hash of its path within the folder, is of the test split: the
    same ones on every machine, whatever files come or go.

    Attributes:
        folder: The folder, below the data directory.
        size: (H, W). The largest central part of an image that has this ratio of sides is resized
            to it (Lanczos); an image that has this size is left as it is.
        channels: 1 for grey, 3 for RGB; images of the other kind are converted.
    """

    folder: str
    size: tuple[int, int]
    channels: int

    def splits(self, directory: Path) -> tuple[Split, ...]:
        return tuple(_official(directory / self.folder)) or super().splits(directory)

    def load(self, directory: Path, split: Split) -> Tensor:
        root = directory / self.folder
        files = self._files(root, split)
        if not files:
            raise DataError(
                f"no images for the {split} split in {root.resolve()}. It must hold image files, "
                "or sub-folders train and test of image files."
            )
        height, width = self.size
        name = f"{split}-{height}x{width}x{self.channels}"
        fit = partial(ImageOps.fit, size=(width, height), method=Image.Resampling.LANCZOS)
        return memory_mapped(
            *(name, root, files, (self.channels, height, width)),
            lambda: decode(files, self.channels, fit),
        )

    def _files(self, root: Path, split: Split) -> list[Path]:
        if official := _official(root):
            return sorted(_visible_files(official[split])) if split in official else []
        return [
            file
            for file in sorted(_visible_files(root))
            if _is_test(file.relative_to(root)) == (split == "test")
        ]


def _official(root: Path) -> dict[Split, Path]:
    """The sub-folders that are splits, if train is among them."""
    paths = root.iterdir() if root.is_dir() else ()
    folders = {path.name.lower(): path for path in paths if path.is_dir()}
    found: dict[Split, Path] = {
        split: folders[name]
        for split, names in SUBFOLDERS.items()
        for name in names
        if name in folders
    }
    return found if "train" in found else {}


def _visible_files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _visible_files(path)
        else:
            yield path


def _is_test(path: Path) -> bool:
    digest = hashlib.sha256(path.as_posix().encode()).digest()
    return int.from_bytes(digest[:8], "big") % TEST_SHARE == 0
