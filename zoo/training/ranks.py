"""Steps that the ranks of a distributed run must do alike."""

from collections.abc import Callable
from typing import Any

import lightning as L
from lightning.pytorch.strategies import (
    DeepSpeedStrategy,
    FSDPStrategy,
    ModelParallelStrategy,
    Strategy,
)
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from zoo.errors import ConfigError, NonFiniteError

# Each of them holds a part of the flow on every rank.
SHARDING = (FSDPStrategy, ModelParallelStrategy, DeepSpeedStrategy)


def refuse_sharding(strategy: Strategy) -> None:
    """Raise ConfigError if no rank holds the whole flow, which averages and guards look at."""
    if isinstance(strategy, SHARDING):
        raise ConfigError(
            f"{type(strategy).__name__} shards the weights, and the averaged weights, the check of "
            "the gradients and ActNorm need them whole. Set trainer.strategy to ddp; docs/scale.md "
            "says why sharding would save little."
        )


def refuse_low_precision(precision: str) -> None:
    """Raise ConfigError unless bijections, log-dets and gradients are of float32 or float64."""
    if precision not in ("32-true", "64-true"):
        raise ConfigError(
            f"trainer.precision is {precision}; flows and their inverses need 32-true or 64-true. "
            "For coupling nets in bfloat16 pass --speed.nets bfloat16."
        )


def on_all_ranks(trainer: L.Trainer | None, likelihood: Callable[[], Tensor]) -> Tensor:
    """A likelihood; if it is not finite on one rank, a NonFiniteError on every rank.

    Else the others would wait for that rank's gradients.

    Args:
        trainer: Who trains; None for a step that is called by itself.
        likelihood: Function that computes it.
    """
    failure: NonFiniteError | None = None
    try:
        value = likelihood()
    except NonFiniteError as error:
        failure = error
    fine = failure is None
    if trainer is not None:
        fine = trainer.strategy.reduce_boolean_decision(fine)
    if failure is not None:
        raise failure
    if not fine:
        raise NonFiniteError("a likelihood is not finite on another rank, whose message says why.")
    return value


def own(values: Tensor, loader: Any, batch_idx: int) -> Tensor:
    """Select the values of a batch (B,) that no other rank has too.

    Ranks need equally many batches, so where images do not divide evenly torch's sampler gives the
    last ranks some of the first images again, at their end.

    Args:
        values: One for each image of the batch.
        loader: Loader of the batch.
        batch_idx: Its number.
    """
    assert isinstance(loader, DataLoader)
    if not isinstance(loader.sampler, DistributedSampler):
        return values
    sampler, rows = loader.sampler, len(loader.dataset)  # type: ignore[arg-type]
    share = len(range(sampler.rank, rows, sampler.num_replicas))
    assert loader.batch_size is not None
    return values[: max(0, share - batch_idx * loader.batch_size)]
