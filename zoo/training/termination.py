"""SIGTERM, which schedulers send before they kill: save, then end."""

import signal
import threading
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from zoo.errors import TerminatedError
from zoo.training.checkpoints import checkpoint_folder


class SaveOnSigterm(Callback):
    """Write a checkpoint after the step in which SIGTERM came, and stop there.

    Lightning by itself stops after the batch, perhaps within a step, and saves nothing.
    """

    def __init__(self) -> None:
        self._requested = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        def request(signum: int, frame: FrameType | None) -> None:
            if not self._requested and trainer.strategy.launcher is not None:
                trainer.strategy.launcher.kill(signum)  # the ranks that it started
            self._requested = True

        if threading.current_thread() is threading.main_thread():
            # In place of Lightning's handler; it restores the one before when training ends.
            signal.signal(signal.SIGTERM, request)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        # All ranks ask at the same time, and stop together.
        if trainer.fit_loop._should_accumulate() or not trainer.strategy.reduce_boolean_decision(
            self._requested, all=False
        ):
            return
        path = checkpoint_folder(trainer) / f"terminated-step={trainer.global_step}.ckpt"
        trainer.save_checkpoint(path)
        raise TerminatedError(
            f"terminated after step {trainer.global_step}. Go on with --ckpt_path '{path}'."
        )
