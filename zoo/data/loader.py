"""Batches gathered at once from one tensor, in memory or memory-mapped."""

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


class Images(Dataset[Tensor]):
    """Some rows of a tensor of images (or of a table), fetched in batches, not singly.

    Args:
        images: (N, ...).
        rows: Indices of rows, in order; all of them if not given. They are not copied.
    """

    def __init__(self, images: Tensor, rows: Tensor | None = None) -> None:
        self.images, self.place = images, (0, 0)
        self.rows = torch.arange(len(images)) if rows is None else rows

    def start(self, seed: int, epoch: int) -> None:
        """Begin an epoch of training: all that is random in it is a function of seed and epoch."""
        self.place = (seed, epoch)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        return self.images[self.rows[index]]

    def __getitems__(self, indices: list[int]) -> Tensor:
        return self.images.index_select(0, self.rows[indices])


def loader(rows: Images, batch_size: int) -> DataLoader[Tensor]:
    """Batches of `batch_size` rows, in order."""
    return DataLoader(rows, batch_size, collate_fn=as_it_is, pin_memory=pinned())


def pinned() -> bool:
    """Whether batches are copied to a GPU while it computes, which memory that may move forbids."""
    return torch.cuda.is_available()


def as_it_is(batch: Any) -> Any:
    """Collate nothing: the rows came as a batch already."""
    return batch
