"""Data sets of images: each split one uint8 tensor, and batches gathered straight from it."""

from zoo.data.catalogue import DATASETS, load_images
from zoo.data.image_set import Split
from zoo.data.loader import Images, loader

__all__ = ["DATASETS", "Images", "Split", "load_images", "loader"]
