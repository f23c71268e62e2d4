"""Batches of images for training."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities import rank_zero_info
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.data.catalogue import Splits, find_image_set
from zoo.data.image_set import ImageSet, Split
from zoo.data.labels import class_names, class_numbers, read_labels
from zoo.data.loader import Batch, Images, loader, unpack
from zoo.errors import ArgumentError, DataError
from zoo.files import user_path
from zoo.training.augment import Flips, augment
from zoo.training.sampler import place, run_seed, training_loader


class ImageData(L.LightningDataModule):
    """Batches of uint8 images (B, C, H, W), with labels (B,) for flows with classes.

    Validation is the data set's own split if it has one, otherwise split from train; test is apart.

    Args:
        name: mnist, fashion_mnist, cifar10, imagenet32, imagenet64, celeba64, galaxy; folder, for
            any folder of images; photos, for crops of large photographs in a folder; or digits
            (scikit-learn's, 8 x 8, for trying out).
        dir: Folder of the official files, or of the images. Missing files of the first three are
            downloaded.
        batch_size: Images per training batch, of each process.
        eval_batch_size: Images per validation and test batch, of each process.
        val_images: Number of training images kept for validation, or their share if below 1.
        seed: Seed of that split.
        flips: Flips of training images: none, horizontal, or all eight symmetries of the square.
        shift: Largest shift of training images, as a share of the side.
        size: Side, or height and width, to which the images of a folder are cropped and resized;
            of photos, that of the crops.
        grey: Whether the images of a folder become grey, not RGB.
        splits: "folders" takes sub-folders train, val and test of a folder as its splits; "none"
            takes all its files as one set, of which a tenth is for testing.
    """

    def __init__(
        self,
        name: str = "mnist",
        dir: str = "data",
        batch_size: int = 64,
        eval_batch_size: int = 250,
        val_images: int | float = 5000,
        seed: int = 0,
        flips: Flips = "none",
        shift: float = 0.0,
        size: int | list[int] | None = None,
        grey: bool = False,
        splits: Splits = "folders",
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if min(batch_size, eval_batch_size) < 1:
            raise ArgumentError("data.batch_size and data.eval_batch_size must be at least 1.")
        if val_images > 1 and val_images % 1:
            raise ArgumentError(f"data.val_images must be whole, or below 1; got {val_images}.")
        if not 0 <= shift < 1:
            raise ArgumentError(f"shift must be a share of the side, from 0 to 1; got {shift}.")
        if isinstance(size, list) and len(size) != 2:
            raise ArgumentError(f"size must be a side, or height and width; got {size}.")

    @property
    def directory(self) -> Path:
        """Folder of the data set's files."""
        return user_path(self.hparams["dir"])

    @property
    def image_set(self) -> ImageSet:
        """The data set."""
        size = self.hparams["size"]
        height, width = (size, size) if isinstance(size, int) else size or (0, 0)
        channels = 1 if self.hparams["grey"] else 3
        splits = self.hparams["splits"]
        return find_image_set(self.hparams["name"], (height, width), channels, splits)

    def prepare_data(self) -> None:
        self.image_set.training(self.directory)
        if "val" in self.image_set.splits(self.directory):
            self._load("val")

    def setup(self, stage: str) -> None:
        if stage in ("test", "predict"):
            self.test = Images(self._load("test"))
            return
        self.train = self.image_set.training(self.directory)
        sides = tuple(self.train[:1].shape[2:])
        if self.hparams["flips"] == "all" and sides[0] != sides[1]:
            raise ArgumentError(f"flips: all needs square images; got {sides}.")
        if "val" in self.image_set.splits(self.directory):
            self.val = Images(self._load("val"))
        else:
            self.train, self.val = self._divided(self.train.images)
        rank_zero_info(f"data: {self.train} to train on, {self.val} for validation")

    def _divided(self, images: Tensor) -> tuple[Images, Images]:
        """Images to train on, and as many others for validation as data.val_images says."""
        count = self.hparams["val_images"]
        count = max(1, round(count * len(images))) if 0 < count < 1 else int(count)
        if not 0 < count < len(images):
            raise DataError(
                f"validation takes {count} of {len(images)} training images. Set data.val_images "
                f"between 1 and {len(images) - 1}."
            )
        generator = torch.Generator().manual_seed(self.hparams["seed"])
        order = torch.randperm(len(images), generator=generator)
        return Images(images, order[count:]), Images(images, order[:count])

    def add_labels(self, classes: int) -> None:
        """Give the batches of training and validation the class of each image.

        Raises:
            DataError: If images have no labels, or these are of another number of classes.
        """
        labels = read_labels(self.image_set, self.directory, "train")
        self.class_names = class_names(labels, classes)
        self.train.labels = self.val.labels = class_numbers(labels, self.class_names)
        if "val" in self.image_set.splits(self.directory):
            labels = read_labels(self.image_set, self.directory, "val")
            self.val.labels = class_numbers(labels, self.class_names)

    def _load(self, split: Split) -> Tensor:
        return self.image_set.load(self.directory, split)

    def train_dataloader(self) -> DataLoader[Any]:
        return training_loader(self.train, self.hparams["batch_size"], self.trainer)

    def val_dataloader(self) -> DataLoader[Any]:
        return loader(self.val, self.hparams["eval_batch_size"])

    def test_dataloader(self) -> DataLoader[Any]:
        return loader(self.test, self.hparams["eval_batch_size"])

    def predict_dataloader(self) -> DataLoader[Any]:
        return self.test_dataloader()

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        flips, shift = self.hparams["flips"], self.hparams["shift"]
        if (flips == "none" and shift == 0) or self.trainer is None or not self.trainer.training:
            return batch
        images, labels = unpack(batch)
        epoch = place(self.trainer).epoch
        images = augment(images, flips, shift, run_seed(), "augmentation", epoch)
        return images if labels is None else (images, labels)
