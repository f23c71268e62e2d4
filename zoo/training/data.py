"""Image data sets from their official raw files, each as one uint8 tensor in memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.datasets import MNIST, FashionMNIST
from torchvision.datasets.mnist import read_image_file
from torchvision.datasets.utils import check_integrity, download_and_extract_archive

from zoo.errors import DataError
from zoo.suggest import suggest

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Source:
    """Where a data set's raw files are and how to read them.

    Attributes:
        folder: Folder of the files, below the data directory.
        files: MD5 of each file by name, for each split.
        archives: (URLs to try, MD5) of each archive to download into `folder`'s parent or folder.
        read: Turns one file into images (N, C, H, W).
    """

    folder: str
    files: dict[Split, dict[str, str]]
    archives: Sequence[tuple[Sequence[str], str]]
    read: Callable[[Path], Tensor]


def _read_idx(path: Path) -> Tensor:
    return read_image_file(str(path))[:, None]


def _read_cifar10(path: Path) -> Tensor:
    # Each record is 1 label byte, then 3 planes of 32 x 32 bytes.
    records = torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8).view(-1, 3073)
    return records[:, 1:].reshape(-1, 3, 32, 32)


def _idx_source(dataset: type[MNIST], folder: str, train_md5: str, test_md5: str) -> Source:
    files: dict[Split, dict[str, str]] = {
        "train": {"train-images-idx3-ubyte": train_md5},
        "test": {"t10k-images-idx3-ubyte": test_md5},
    }
    archives = [
        ([mirror + name for mirror in dataset.mirrors], md5)
        for name, md5 in dataset.resources
        if "images" in name
    ]
    return Source(folder, files, archives, _read_idx)


SOURCES: dict[str, Source] = {
    "mnist": _idx_source(
        MNIST,
        "MNIST/raw",
        "6bbc9ace898e44ae57da46a324031adb",
        "2646ac647ad5339dbf082846283269ea",
    ),
    "fashion_mnist": _idx_source(
        FashionMNIST,
        "FashionMNIST/raw",
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "8181f5470baa50b63fa0f6fddb340f0a",
    ),
    "cifar10": Source(
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
}
DATASETS = (*SOURCES, "digits")


def load_images(name: str, directory: str | Path, split: Split) -> Tensor:
    """All images of a split, uint8 (N, C, H, W).

    Args:
        name: One of `DATASETS`. "digits" is scikit-learn's tiny set of 8 x 8 digits.
        directory: Folder that holds, or will hold, the official raw files.
        split: "train" or "test".

    Raises:
        DataError: If the name is unknown, or files are missing and cannot be downloaded.
    """
    if name == "digits":
        return _load_digits(split)
    if name not in SOURCES:
        raise DataError(f"no data set {name!r}.{suggest(name, DATASETS)}")
    source, folder = SOURCES[name], Path(directory).expanduser() / SOURCES[name].folder
    if _damaged(source, folder, split):
        _download(name, source, folder, split)
    return torch.cat([source.read(folder / file) for file in source.files[split]])


def _damaged(source: Source, folder: Path, split: Split) -> list[str]:
    """Names of the split's files that are missing or not the official ones."""
    files = source.files[split].items()
    return [file for file, md5 in files if not check_integrity(folder / file, md5)]


def _download(name: str, source: Source, folder: Path, split: Split) -> None:
    try:
        for urls, md5 in source.archives:
            _download_first(urls, md5, folder)
    except (OSError, RuntimeError) as error:
        reason = f"the download failed ({error})"
    else:
        reason = "the download did not help"
    if damaged := _damaged(source, folder, split):
        raise DataError(
            f"{name}: {', '.join(damaged)} missing or damaged in {folder.resolve()}, and {reason}. "
            f"Put the official, unpacked files there, or name a directory that has {source.folder}."
        )


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


def _load_digits(split: Split) -> Tensor:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits are scikit-learn's: pip install scikit-learn.") from error
    images = torch.from_numpy(load_digits().images * 15).to(torch.uint8)[:, None]  # 0 .. 240
    return images[:1500] if split == "train" else images[1500:]


class Images(Dataset[Tensor]):
    """A tensor of images (or rows of a table) whose batches are gathered at once, not singly."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        return self.images[index]

    def __getitems__(self, indices: list[int]) -> Tensor:
        return self.images[indices]


class ImageData(L.LightningDataModule):
    """Batches of uint8 images (B, C, H, W); validation is split from train, test is its own.

    Args:
        name: mnist, fashion_mnist, cifar10, or digits (scikit-learn's, 8 x 8, for trying out).
        dir: Folder of the official raw files; missing ones are downloaded.
        batch_size: Images per training batch.
        eval_batch_size: Images per validation and test batch.
        val_images: Number of training images kept for validation.
        seed: Seed of that split.
    """

    def __init__(
        self,
        name: str = "mnist",
        dir: str = "data",
        batch_size: int = 64,
        eval_batch_size: int = 250,
        val_images: int = 5000,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()

    def prepare_data(self) -> None:
        load_images(self.hparams["name"], self.hparams["dir"], "train")

    def setup(self, stage: str) -> None:
        name, directory = self.hparams["name"], self.hparams["dir"]
        if stage == "test":
            self.test = Images(load_images(name, directory, "test"))
            return
        images = load_images(name, directory, "train")
        count = self.hparams["val_images"]
        if not 0 < count < len(images):
            raise DataError(f"val_images must be between 1 and {len(images) - 1}; got {count}.")
        generator = torch.Generator().manual_seed(self.hparams["seed"])
        order = torch.randperm(len(images), generator=generator)
        self.train, self.val = Images(images[order[count:]]), Images(images[order[:count]])

    def train_dataloader(self) -> DataLoader[Tensor]:
        return loader(self.train, self.hparams["batch_size"], train=True)

    def val_dataloader(self) -> DataLoader[Tensor]:
        return loader(self.val, self.hparams["eval_batch_size"])

    def test_dataloader(self) -> DataLoader[Tensor]:
        return loader(self.test, self.hparams["eval_batch_size"])


def loader(rows: Images, batch_size: int, *, train: bool = False) -> DataLoader[Tensor]:
    """Batches of a tensor's rows; shuffled, and without an incomplete last one, in training."""
    return DataLoader(rows, batch_size, shuffle=train, drop_last=train, collate_fn=_already_a_batch)


def _already_a_batch(batch: Any) -> Any:
    return batch
