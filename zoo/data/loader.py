"""Batches gathered at once from one tensor, in memory or memory-mapped."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.errors import counted

# Images, or images and the class (B,) of each.
Batch = Tensor | Sequence[Tensor]


def unpack(batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Images of a batch, and their labels if it has some."""
    return (batch, None) if isinstance(batch, Tensor) else (batch[0], batch[1])


class Images(Dataset[Any]):
    """Some rows of a tensor of images (or of a table), fetched in batches, not singly.

    Args:
        images: (N, ...).
        rows: Indices of rows, in order; all of them if not given. They are not copied.

    Attributes:
        labels: Class (N,) of each image, which batches then have too; None for images alone.
    """

    labels: Tensor | None = None

    def __init__(self, images: Tensor, rows: Tensor | None = None) -> None:
        self.images, self.place = images, (0, 0)
        self.rows = torch.arange(len(images)) if rows is None else rows

    def __str__(self) -> str:
        return counted(len(self), "image")

    def start(self, seed: int, epoch: int) -> None:
        """Begin an epoch of training: all that is random in it is a function of seed and epoch."""
        self.place = (seed, epoch)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        return self.images[self.rows[index]]

    def __getitems__(self, indices: list[int]) -> Batch:
        rows = self.rows[indices]
        images = self.images.index_select(0, rows)
        return images if self.labels is None else (images, self.labels[rows])


def loader(rows: Images, batch_size: int, **options: Any) -> DataLoader[Any]:
    """Batches of `batch_size` rows, in order if no options of `DataLoader` say otherwise."""
    return DataLoader(
        rows,
        batch_size=batch_size,  # by name: to predict, Lightning makes the loader with another one
        collate_fn=as_it_is,
        pin_memory=torch.cuda.is_available(),  # so a GPU computes while it copies
        **options,
    )


def as_it_is(batch: Any) -> Any:
    """Collate nothing: the rows came as a batch already."""
    return batch
