"""Data sets from their official raw files, checked by MD5 and downloaded when missing."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.errors import DataError


@dataclass(frozen=True)
class Source(ImageSet):
    """Where a data set's raw files are and how to read them.

    Attributes:
        name: Of the data set.
        folder: Folder of the files, below the data directory.
        files: MD5 of each file by name, for each split.
        archives: (URLs to try, MD5) of each archive to download into `folder`'s parent or folder.
        read: Turns one file into images (N, C, H, W).
    """

    name: str
    folder: str
    files: dict[Split, dict[str, str]]
    archives: Sequence[tuple[Sequence[str], str]]
    read: Callable[[Path], Tensor]

    def load(self, directory: Path, split: Split) -> Tensor:
        folder = directory / self.folder
        if self._damaged(folder, split):
            self._download(folder, split)
        return torch.cat([self.read(folder / file) for file in self.files[split]])

    def _damaged(self, folder: Path, split: Split) -> list[str]:
        """Names of the split's files that are missing or not the official ones."""
        files = self.files[split].items()
        return [file for file, md5 in files if _md5(folder / file) != md5]

    def _download(self, folder: Path, split: Split) -> None:
        try:
            for urls, md5 in self.archives:
                _download_first(urls, md5, folder)
        except (OSError, RuntimeError, ImportError) as error:
            reason = f"the download failed ({error})"
        else:
            reason = "the download did not help"
        if damaged := self._damaged(folder, split):
            raise DataError(
                f"{self.name}: {', '.join(damaged)} missing or damaged in {folder.resolve()}, and "
                f"{reason}. Put the official, unpacked files there, or name a directory that has "
                f"{self.folder}."
            )


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


def _read_cifar10(path: Path) -> Tensor:
    # Each record is 1 label byte, then 3 planes of 32 x 32 bytes.
    records = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).view(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32)


def _idx_source(
    name: str, folder: str, mirrors: Sequence[str], md5: dict[Split, tuple[str, str]]
) -> Source:
    """MNIST's layout: for each split the MD5 of its file of images, unpacked and as an archive."""
    names: dict[Split, str] = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}
    archives = [
        ([f"{mirror}{names[split]}.gz" for mirror in mirrors], packed)
        for split, (_, packed) in md5.items()
    ]
    files = {split: {names[split]: unpacked} for split, (unpacked, _) in md5.items()}
    return Source(name, folder, files, archives, _read_idx)


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
        ),
        _idx_source(
            "fashion_mnist",
            "FashionMNIST/raw",
            MIRRORS_FASHION,
            {
                "train": ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
                "test": ("8181f5470baa50b63fa0f6fddb340f0a", "bef4ecab320f06d8554ea6380940ec79"),
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
        ),
    )
}
