"""Data sets from their official raw files, checked by MD5 and downloaded when missing."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.errors import DataError

Md5 = tuple[str, str]  # of a file, and of its archive


@dataclass(frozen=True)
class Source(ImageSet):
    """Raw files of a data set: their addresses, hashes and readers.

    Attributes:
        name: Name of the data set.
        folder: Folder of the files, below the data directory.
        files: MD5 of each file by name, for each split.
        archives: (URLs to try, MD5) of each archive to download into `folder`'s parent or folder.
        read: Turns one file into images (N, C, H, W).
        read_labels: Turns one file into labels (N,).
        label_files: Like `files`, of the labels; None if they are in the images' files.
    """

    name: str
    folder: str
    files: dict[Split, dict[str, str]]
    archives: Sequence[tuple[Sequence[str], str]]
    read: Callable[[Path], Tensor]
    read_labels: Callable[[Path], Tensor]
    label_files: dict[Split, dict[str, str]] | None = None

    def load(self, directory: Path, split: Split) -> Tensor:
        folder, files = directory / self.folder, _of_split(self.files, split)
        if _damaged(folder, files):
            self._download(folder, files)
        return torch.cat([self.read(folder / file) for file in files])

    def labels(self, directory: Path, split: Split) -> list[int] | None:
        """Digits, garments or objects as numbers; None, with a warning, if their files lack."""
        folder, files = directory / self.folder, _of_split(self.label_files or self.files, split)
        if damaged := _damaged(folder, files):
            missing = f"{', '.join(damaged)} missing or damaged in {folder}"
            warnings.warn(f"{self.name}: no labels, {missing}.", stacklevel=2)
            return None
        return torch.cat([self.read_labels(folder / file) for file in files]).tolist()

    def _download(self, folder: Path, files: dict[str, str]) -> None:
        try:
            for urls, md5 in self.archives:
                _download_first(urls, md5, folder)
        except (OSError, RuntimeError, ImportError) as error:
            reason = f"the download failed ({error})"
        else:
            reason = "the download did not help"
        if damaged := _damaged(folder, files):
            raise DataError(
                f"{self.name}: {', '.join(damaged)} missing or damaged in {folder.resolve()}, and "
                f"{reason}. Put the official, unpacked files there, or name a directory that has "
                f"{self.folder}."
            )


def _of_split(files: dict[Split, dict[str, str]], split: Split) -> dict[str, str]:
    return {**files["train"], **files["test"]} if split == "all" else files[split]


def _damaged(folder: Path, files: dict[str, str]) -> list[str]:
    """Names of the files that are missing or not the official ones."""
    return [file for file, md5 in files.items() if _md5(folder / file) != md5]


def _download_first(urls: Sequence[str], md5: str, folder: Path) -> None:
    """Download and unpack from the first of several mirrors that answers."""
    from torchvision.datasets.utils import download_and_extract_archive

    # The archive of CIFAR-10 holds the folder itself.
    target = folder.parent if urls[0].endswith(".tar.gz") else folder
    for i, url in enumerate(urls):
        try:
            download_and_extract_archive(url, str(target), md5=md5)
        except (OSError, RuntimeError):
            if i == len(urls) - 1:
                raise
        else:
            return


def _md5(path: Path) -> str | None:
    return hashlib.md5(path.read_bytes()).hexdigest() if path.is_file() else None


def _read_idx(path: Path) -> Tensor:
    # 4 bytes that name the format, then big-endian sizes (N, H, W), then the pixels.
    data = path.read_bytes()
    shape = np.frombuffer(data, ">i4", count=3, offset=4).tolist()
    return torch.frombuffer(bytearray(data[16:]), dtype=torch.uint8).view(*shape)[:, None]


def _records(path: Path) -> Tensor:
    """Records of CIFAR-10, (N, 3073): 1 label byte, then 3 planes of 32 x 32 bytes."""
    return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).view(-1, 3073)


def _read_cifar10(path: Path) -> Tensor:
    return _records(path)[:, 1:].reshape(-1, 3, 32, 32)


def _read_cifar10_labels(path: Path) -> Tensor:
    return _records(path)[:, 0]


def _read_idx_labels(path: Path) -> Tensor:
    return torch.frombuffer(bytearray(path.read_bytes()[8:]), dtype=torch.uint8)


def _idx_source(
    name: str,
    folder: str,
    mirrors: Sequence[str],
    images: dict[Split, Md5],
    labels: dict[Split, Md5],
) -> Source:
    """A data set in MNIST's format: images first, which are of use without their labels."""
    kinds = (("images-idx3", images), ("labels-idx1", labels))
    files, label_files = (_idx_files(kind, md5s) for kind, md5s in kinds)
    archives = [
        ([f"{mirror}{_idx_name(split, kind)}.gz" for mirror in mirrors], packed)
        for kind, md5s in kinds
        for split, (_, packed) in md5s.items()
    ]
    return Source(name, folder, files, archives, _read_idx, _read_idx_labels, label_files)


def _idx_files(kind: str, md5s: dict[Split, Md5]) -> dict[Split, dict[str, str]]:
    return {split: {_idx_name(split, kind): md5} for split, (md5, _) in md5s.items()}


def _idx_name(split: Split, kind: str) -> str:
    return f"{'train' if split == 'train' else 't10k'}-{kind}-ubyte"


MIRRORS_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
MIRRORS_FASHION = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _idx_source(
            "mnist",
            "MNIST/raw",
            MIRRORS_MNIST,
            {
                "train": ("6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
                "test": ("2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
            },
            {
                "train": ("a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
                "test": ("27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
            },
        ),
        _idx_source(
            "fashion_mnist",
            "FashionMNIST/raw",
            MIRRORS_FASHION,
            {
                "train": ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                "test": ("8181f5470baa50b63fa0f6fddb340f0a", "bef4ecab320f06d8554ea6380940ec79"),
            },
            {
                "train": ("9018921c3c673c538a1fc5bad174d6f9", "25c81989df183df01b3e8a0aad5dffbe"),
                "test": ("15d484375f8d13e6eb1aabb0c3f46965", "bb300cfdad3c16e7a12a480ee83cd310"),
            },
        ),
        Source(
            "cifar10",
            "cifar-10-batches-bin",
            {
                "train": {
                    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
                    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
                    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
                    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
                    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
                },
                "test": {"test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d"},
            },
            [
                (
                    ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"],
                    "c32a1d4ab5d03f1284b67883e8d87530",
                )
            ],
            _read_cifar10,
            _read_cifar10_labels,
        ),
    )
}
