"""Any folder of images, of any sizes, flat or nested."""

import hashlib
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor

from zoo.data.decode import decode
from zoo.data.image_set import ImageSet, Split
from zoo.data.pixel_cache import memory_mapped
from zoo.errors import DataError, counted
from zoo.pictures import Listing, fill, list_pictures, say_skipped

SUBFOLDERS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
SHARE = 10


@dataclass(frozen=True)
class FolderOfImages(ImageSet):
    """All picture files below a folder, resized and cropped to one size.

    A sub-folder train makes the sub-folders train, test and, if there is one, val the splits.
    Otherwise, or if the splits are not to be sub-folders, every tenth file, by a hash of its path
    within the folder, is of the test split: the same ones on every machine, whatever files come or
    go.

    Attributes:
        folder: The folder, below the data directory.
        size: (H, W). The largest central part of an image that has this ratio of sides is resized
            to it (Lanczos); an image that has this size is left as it is.
        channels: 1 for grey, 3 for RGB; images of the other kind are converted.
        by_folders: Whether sub-folders train, val and test are the splits.
    """

    folder: str
    size: tuple[int, int]
    channels: int
    by_folders: bool = True

    def splits(self, directory: Path) -> tuple[Split, ...]:
        return tuple(self._folders(directory / self.folder)) or super().splits(directory)

    def names(self, directory: Path, split: Split) -> Sequence[str]:
        root = directory / self.folder
        return [file.relative_to(root).as_posix() for file in self._files(root, split).pictures]

    def labels(self, directory: Path, split: Split) -> Sequence[str | None]:
        """The first folder of each image's path, below that of its split."""
        root = directory / self.folder
        tops = [folder.name for folder in self._folders(root).values()]
        paths = (name.split("/")[:-1] for name in self.names(directory, split))
        below = (path[1:] if path and path[0] in tops else path for path in paths)
        return [path[0] if path else None for path in below]

    def load(self, directory: Path, split: Split) -> Tensor:
        root = directory / self.folder
        files, skipped = self._files(root, split)
        if skipped:
            warnings.warn(
                f"{root}: {counted(len(files), 'image')} in the {split} split; "
                f"{say_skipped(skipped)}",
                stacklevel=2,
            )
        if not files:
            raise DataError(
                f"no images for the {split} split in {root.resolve()}. It must hold files named "
                "as images, such as .png, or sub-folders train and test of them."
            )
        height, width = self.size
        name = f"{split}-{height}x{width}x{self.channels}"
        return memory_mapped(
            *(name, root, files, (self.channels, height, width)),
            lambda: decode(files, self.channels, partial(fill, size=self.size)),
        )

    def _files(self, root: Path, split: Split) -> Listing:
        folders = self._folders(root) if split != "all" else {}
        if folders:
            _say_what_is_beside(root, folders)
            return list_pictures(folders[split]) if split in folders else Listing([], [])
        files, skipped = list_pictures(root)
        chosen = [
            file
            for file in files
            if split == "all" or _is_test(file.relative_to(root)) == (split == "test")
        ]
        return Listing(chosen, skipped)

    def _folders(self, root: Path) -> dict[Split, Path]:
        """The sub-folders that are splits; none if all are to be images of one set."""
        found = splits_of(root) if self.by_folders else {}
        if set(found) == {"train"} and (others := _beside(root, found.values(), folders=True)):
            raise DataError(
                f"{root} has a folder {found['train'].name} beside {len(others)} other images in "
                "folders, and neither test nor val. If it is a split, move the others away or add "
                "a folder test; if it is a class, pass data.splits: none (--splits none)."
            )
        return found


def _beside(root: Path, splits: Collection[Path], folders: bool = False) -> list[Path]:
    """Pictures below the root in none of the splits; only those in folders, if so wanted."""
    return [
        file
        for file in list_pictures(root).pictures
        if not any(split in file.parents for split in splits)
        and not (folders and file.parent == root)
    ]


def _say_what_is_beside(root: Path, folders: dict[Split, Path]) -> None:
    if beside := _beside(root, folders.values()):
        names = ", ".join(folder.name for folder in folders.values())
        images = counted(len(beside), "image")
        warnings.warn(
            f"{root}: the splits are its folders {names}; {images} beside them skipped. "
            "data.splits: none (--splits none) takes all.",
            stacklevel=4,
        )


def splits_of(root: Path) -> dict[Split, Path]:
    """The sub-folders that are splits, if train is among them.

    Raises:
        DataError: If the splits are a level lower: without them, training would see their test
            images.
    """
    found = official_folders(root)
    lower = [] if found or not root.is_dir() else sorted(filter(Path.is_dir, root.iterdir()))
    for folder in lower:
        if {"train", "test"} <= official_folders(folder).keys():
            raise DataError(
                f"{root} has no folder train, but {folder} has train and test. Name that folder; "
                "else images of its test split would be trained on."
            )
    return found


def official_folders(root: Path) -> dict[Split, Path]:
    """The sub-folders with the names of splits, if train is among them."""
    paths = root.iterdir() if root.is_dir() else ()
    folders = {path.name.lower(): path for path in paths if path.is_dir()}
    found: dict[Split, Path] = {
        split: folders[name]
        for split, names in SUBFOLDERS.items()
        for name in names
        if name in folders
    }
    return found if "train" in found else {}


def path_hash(path: Path) -> int:
    """A number of 64 bits that is the same on every machine."""
    return int.from_bytes(hashlib.sha256(path.as_posix().encode()).digest()[:8], "big")


def _is_test(path: Path) -> bool:
    return path_hash(path) % SHARE == 0
