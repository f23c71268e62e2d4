"""The order of the data as a function of seed and epoch, from any batch on, on any number of ranks.

Where training stands is read from the trainer, whose counters Lightning keeps in every checkpoint.
So a resumed run goes on with the very next batch, without walking through those before it.
"""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import lightning as L
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler

from zoo.data.loader import Images, loader
from zoo.data.noise import generator
from zoo.errors import DataError


class Place(NamedTuple):
    """Place of a run in its data.

    Attributes:
        epoch: Passes through the data behind it.
        batch: Batches of this epoch behind it, on each rank.
    """

    epoch: int
    batch: int


def place(trainer: L.Trainer | None) -> Place:
    """Place of the trainer; the start, for data that no trainer uses."""
    if trainer is None:
        return Place(0, 0)
    # Not trainer.current_epoch: a run that is resumed at the end of an epoch counts it later.
    loop = trainer.fit_loop
    epoch, batch = loop.epoch_progress.current, loop.epoch_loop.batch_progress.current
    return Place(epoch.processed, batch.ready)  # type: ignore[attr-defined]


def run_seed() -> int:
    """Seed that seed_everything was called with; 0 if it was not."""
    return int(os.environ.get("PL_GLOBAL_SEED", "0"))


class ShuffledSampler(DistributedSampler[int]):
    """Indices of this rank's share of an epoch, from the batch on at which the trainer stands.

    Of the epoch's order, global batch after global batch, each rank takes every world_size-th
    index: shares are disjoint, and two ranks see together what one sees in batches twice as
    large. Lightning shards the sampler of any other class itself, in another way.

    Args:
        rows: Rows to sample.
        batch_size: Rows per batch of one rank.
        trainer: Who trains; None for the first epoch from its start.

    Raises:
        DataError: If there are fewer rows than a global batch has.
    """

    def __init__(self, rows: Images, batch_size: int, trainer: L.Trainer | None) -> None:
        ranks, rank = (dist.get_world_size(), dist.get_rank()) if _distributed() else (1, 0)
        if len(rows) < batch_size * ranks:
            raise DataError(
                f"{len(rows)} training images are fewer than a batch of all processes, "
                f"{batch_size * ranks}. Lower data.batch_size."
            )
        super().__init__(rows, ranks, rank, drop_last=True)
        self.rows, self.batch_size, self.trainer = rows, batch_size, trainer

    def __iter__(self) -> Iterator[int]:
        # A generator: its place is that of the first batch fetched, not that of iter().
        epoch, batch = place(self.trainer)
        self.rows.start(run_seed(), epoch)
        random = generator(run_seed(), "order", epoch)
        order = torch.randperm(len(self.dataset), generator=random)  # type: ignore[arg-type]
        start = batch * self.batch_size * self.num_replicas
        yield from order[start + self.rank : self.total_size : self.num_replicas].tolist()


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def training_loader(
    rows: Images, batch_size: int, trainer: L.Trainer | None = None
) -> DataLoader[Any]:
    """Shuffled, complete batches of a tensor's rows, from where the trainer stands."""
    sampler = ShuffledSampler(rows, batch_size, trainer)
    return loader(rows, batch_size, sampler=sampler, drop_last=True)
