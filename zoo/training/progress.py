"""The counters of Lightning's loops, set right where a checkpoint is resumed, and in the bar.

Checkpoints are written after a batch, after a validation, after an epoch or at the end. Lightning
resumes the first kind exactly, but for one counter; of the others some repeat or skip an epoch.
So here all become the first kind.
"""

from functools import partial
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.loops.fit_loop import _FitLoop

Counters = dict[str, int]


def resume_after_batch(checkpoint: dict[str, Any]) -> None:
    """Make a checkpoint, in place, one that was written right after its last batch."""
    loop = checkpoint["loops"]["fit_loop"]
    batches, epochs = loop["epoch_loop.batch_progress"], loop["epoch_progress"]
    for kind in ("total", "current"):
        _after_batch(batches[kind], batches[kind]["ready"])
        epochs[kind].update(
            processed=epochs[kind]["ready"] - 1, completed=epochs[kind]["ready"] - 1
        )
    loop["epoch_loop.state_dict"]["_batches_that_stepped"] = checkpoint["global_step"] - 1


def rescale(checkpoint: dict[str, Any], old: int, new: int, length: int) -> None:
    """Turn the batch counters of a checkpoint into those of another global batch, in place.

    Args:
        checkpoint: As `resume_after_batch` leaves it.
        old: Rows per batch of all ranks together, in the run that wrote the checkpoint.
        new: The same in the run that goes on.
        length: Batches of an epoch of the run that goes on.
    """
    batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    for kind in ("total", "current"):
        _after_batch(batches[kind], max(1, batches[kind]["ready"] * old // new))
    if batches["is_last_batch"] or batches["current"]["ready"] >= length:
        batches["is_last_batch"] = True
        _after_batch(batches["current"], length)


def _after_batch(counters: Counters, batches: int) -> None:
    # Lightning counts a batch as completed when the hook that writes checkpoints has returned.
    counters.update(ready=batches, started=batches, processed=batches, completed=batches - 1)


def count_next_epoch(loop: _FitLoop) -> None:
    """Count the epoch that begins where a run resumes after an epoch's last batch.

    Lightning has counted the last one as processed by now, but takes the next one for counted.
    """
    progress = loop.epoch_progress
    if loop.restarted_mid_epoch and progress.current.processed == progress.current.ready:  # type: ignore[attr-defined]
        progress.increment_ready()
        progress.increment_started()


def describe_epochs(trainer: L.Trainer) -> None:
    """Have the bar name the last epoch only where there is one that is still to come."""
    bar = trainer.progress_bar_callback
    if isinstance(bar, RichProgressBar):
        plain = partial(_description, trainer)
        bar._get_train_description = plain  # type: ignore[method-assign]


def _description(trainer: L.Trainer, epoch: int) -> str:
    last = (trainer.max_epochs or 0) - 1
    return f"Epoch {epoch}/{last}" if epoch <= last else f"Epoch {epoch}"
