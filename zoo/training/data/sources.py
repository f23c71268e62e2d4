"""Data sets from their official raw files, checked by MD5 and downloaded when missing."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor
from torchvision.datasets import MNIST, FashionMNIST
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.datasets.utils import check_integrity, download_and_extract_archive

from zoo.errors import DataError
from zoo.training.data.image_set import ImageSet, Split

FilesOfSplits = dict[Split, dict[str, str]]


@dataclass(frozen=True)
class Source(ImageSet):
    """Where a data set's raw files are and how to read them.

    Attributes:
        name: Of the data set.
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
        except (OSError, RuntimeError) as error:
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
    return [file for file, md5 in files.items() if not check_integrity(folder / file, md5)]


def _download_first(urls: Sequence[str], md5: str, folder: Path) -> None:
    """Download and unpack from the first of several mirrors that answers."""
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


def _read_idx(path: Path) -> Tensor:
    return read_image_file(str(path))[:, None]


def _records(path: Path) -> Tensor:
    """Of CIFAR-10, (N, 3073): 1 label byte, then 3 planes of 32 x 32 bytes."""
    return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).view(-1, 3073)


def _read_cifar10(path: Path) -> Tensor:
    return _records(path)[:, 1:].reshape(-1, 3, 32, 32)


def _read_cifar10_labels(path: Path) -> Tensor:
    return _records(path)[:, 0]


def _read_idx_labels(path: Path) -> Tensor:
    return read_label_file(str(path))


def _idx_source(
    name: str,
    dataset: type[MNIST],
    folder: str,
    images: tuple[str, str],
    labels: tuple[str, str],
) -> Source:
    """A data set in MNIST's format; the MD5s of its images and labels, each of train and test."""
    files, label_files = (
        cast(
            FilesOfSplits,
            {"train": {f"train-{kind}-ubyte": md5s[0]}, "test": {f"t10k-{kind}-ubyte": md5s[1]}},
        )
        for kind, md5s in (("images-idx3", images), ("labels-idx1", labels))
    )
    # Images first: they are of use without the labels.
    resources = sorted(dataset.resources, key=lambda resource: "labels" in resource[0])
    archives = [([mirror + file for mirror in dataset.mirrors], md5) for file, md5 in resources]
    return Source(name, folder, files, archives, _read_idx, _read_idx_labels, label_files)


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        _idx_source(
            "mnist",
            MNIST,
            "MNIST/raw",
            ("6bbc9ace898e44ae57da46a324031adb", "2646ac647ad5339dbf082846283269ea"),
            ("a25bea736e30d166cdddb491f175f624", "27ae3e4e09519cfbb04c329615203637"),
        ),
        _idx_source(
            "fashion_mnist",
            FashionMNIST,
            "FashionMNIST/raw",
            ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "8181f5470baa50b63fa0f6fddb340f0a"),
            ("9018921c3c673c538a1fc5bad174d6f9", "15d484375f8d13e6eb1aabb0c3f46965"),
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
