"""Batches gathered at once from one tensor, in memory or memory-mapped."""

from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.training.sampler import ShuffledSampler


class Images(Dataset[Tensor]):
    """Some rows of a tensor of images (or of a table), fetched in batches, not singly.

    Args:
        images: (N, ...).
        rows: Which rows, in which order; all of them if not given. They are not copied.
    """

    def __init__(self, images: Tensor, rows: Tensor | None = None) -> None:
        self.images = images
        self.rows = torch.arange(len(images)) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int | slice | Tensor) -> Tensor:
        return self.images[self.rows[index]]

    def __getitems__(self, indices: list[int]) -> Tensor:
        return self.images.index_select(0, self.rows[indices])


def loader(rows: Images, batch_size: int) -> DataLoader[Tensor]:
    """Batches of a tensor's rows, in order."""
    return DataLoader(rows, batch_size, collate_fn=_already_a_batch, pin_memory=_pinned())


def training_loader(
    rows: Images, batch_size: int, trainer: L.Trainer | None = None
) -> DataLoader[Tensor]:
    """Shuffled, complete batches of a tensor's rows, from where the trainer stands."""
    sampler = ShuffledSampler(rows, batch_size, trainer)
    return DataLoader(
        rows,
        batch_size,
        sampler=sampler,
        drop_last=True,
        collate_fn=_already_a_batch,
        pin_memory=_pinned(),
    )


def _pinned() -> bool:
    """Whether batches are copied to a GPU while it computes, which memory that may move forbids."""
    return torch.cuda.is_available()


def _already_a_batch(batch: Any) -> Any:
    return batch
