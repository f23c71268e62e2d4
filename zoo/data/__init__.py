"""Data sets of images: each split one uint8 tensor, and batches gathered straight from it."""

from zoo.data.catalogue import (
    FOLDER,
    DatasetFacts,
    Splits,
    facts_of,
    find_image_set,
    list_datasets,
    load_images,
    register_dataset,
)
from zoo.data.image_set import ImageSet, Split
from zoo.data.loader import Images, loader

__all__ = [
    "FOLDER",
    "DatasetFacts",
    "ImageSet",
    "Images",
    "Split",
    "Splits",
    "facts_of",
    "find_image_set",
    "list_datasets",
    "load_images",
    "loader",
    "register_dataset",
]
