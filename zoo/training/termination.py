"""SIGTERM, which schedulers send before they kill: save, then end."""

import signal
import threading
from types import FrameType
from typing import Any, NoReturn

import lightning as L
from lightning.pytorch.callbacks import Callback, WeightAveraging

from zoo.errors import TerminatedError
from zoo.training.checkpoints import checkpoint_folder


class SaveOnSigterm(Callback):
    """Write a checkpoint after the step or the validation batch in which SIGTERM came, and stop.

    A validation that is cut short counts as done when the run goes on.

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
        if self._must_stop(trainer):
            self._stop(trainer)

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any
    ) -> None:
        if self._must_stop(trainer):
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, WeightAveraging):
                    # Validation is of the averaged weights: this gives the others back.
                    callback.on_validation_epoch_end(trainer, pl_module)
            self._stop(trainer)

    def _must_stop(self, trainer: L.Trainer) -> bool:
        """Whether SIGTERM came to any rank; all of them ask at the same time, and stop together."""
        if trainer.fit_loop._should_accumulate():  # within a step
            return False
        return trainer.strategy.reduce_boolean_decision(self._requested, all=False)

    @staticmethod
    def _stop(trainer: L.Trainer) -> NoReturn:
        path = checkpoint_folder(trainer) / f"terminated-step={trainer.global_step}.ckpt"
        trainer.save_checkpoint(path)
        raise TerminatedError(
            f"terminated after step {trainer.global_step}. Go on with --ckpt_path '{path}'."
        )
