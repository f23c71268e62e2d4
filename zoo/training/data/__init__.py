"""Data sets of images: each split one uint8 tensor, and batches gathered straight from it."""

from zoo.training.data.batches import Images, loader, training_loader
from zoo.training.data.catalogue import DATASETS, FOLDER, Splits, find_image_set, load_images
from zoo.training.data.image_set import Split
from zoo.training.data.module import ImageData

__all__ = [
    "DATASETS",
    "FOLDER",
    "ImageData",
    "Images",
    "Split",
    "Splits",
    "find_image_set",
    "load_images",
    "loader",
    "training_loader",
]
