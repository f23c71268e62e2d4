"""The end of a training run in four lines: value, checkpoint, pictures, next command."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint

from zoo.training.checkpoints import last_checkpoint

Line = tuple[str, str]


def outcome(trainer: L.Trainer, pictures: Path, data: str) -> str:
    """Describe a run that has ended.

    Args:
        trainer: Its trainer.
        pictures: Folder of its pictures.
        data: Folder of its data set.
    """
    found = (*_checkpoint(trainer, data), ("pictures", f"{pictures}/" if pictures.is_dir() else ""))
    return "\n".join(f"{word:<11}{text}" for word, text in found if text)


def _checkpoint(trainer: L.Trainer, data: str) -> Iterator[Line]:
    kept, path = trainer.checkpoint_callback, last_checkpoint(trainer)
    # When a run goes on in another folder, Lightning knows its former best file, not the value.
    if isinstance(kept, ModelCheckpoint) and kept.best_model_score is not None:
        yield "best", f"{kept.monitor} {kept.best_model_score:.4f}"
        path = kept.best_model_path
    if path is None:
        yield "checkpoint", "none was written"
        return
    yield "checkpoint", path
    where, named = shlex.quote(path), "--name my_flow"  # that of no model of the zoo
    yield "next", f"flowzoo export {where} {named} --data-dir {shlex.quote(data)}"
