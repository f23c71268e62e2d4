"""Callbacks beside training: averaged weights, and pictures to look at."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, WeightAveraging
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch import Tensor

from zoo.errors import ConfigError, NonFiniteError
from zoo.pictures import grid, write_image
from zoo.training.average import Average
from zoo.training.loggers import log_picture
from zoo.training.module import FlowModule

COLUMNS = 8


class EMA(WeightAveraging):
    """Exponential moving average of the parameters; validated, checkpointed and exported.

    Step t keeps min(decay, (1 + t) / (10 + t)) of the old average. So the average reaches over
    about the last tenth of a run, and never over more than 1 / (1 - decay) steps: that of a short
    run is not of untrained weights. Buffers (permutations, signs, ActNorm's flag) are copied.

    Args:
        decay: Largest share of the old average kept at a step, from 0 up to 1.
    """

    def __init__(self, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ConfigError(f"ema.decay must be from 0 up to 1, but less; got {decay}.")
        self.decay = decay
        super().__init__(use_buffers=False)

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":  # on the device that the module itself moves to later
            self._average_model = Average(pl_module, trainer.strategy.root_device, self.decay)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Warn of a run that is short against the decay."""
        steps, reach = trainer.max_steps, 1 / (1 - self.decay)
        if 0 < steps < reach:
            rank_zero_warn(
                f"a run of {steps:,} steps is short against ema.decay {self.decay}: its averages "
                f"reach over the last tenth of it, not over {reach:,.0f} steps."
            )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the weights as they are: the last checkpoint is yet to be written."""

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if stage == "fit":
            super().on_train_end(trainer, pl_module)


class LearningRate(LearningRateMonitor):
    """Logs the learning rate; does nothing for a run without a logger, which Lightning refuses."""

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if not trainer.loggers:
            trainer.callbacks = [callback for callback in trainer.callbacks if callback is not self]  # type: ignore[attr-defined]


class Pictures(Callback):
    """Write samples and reconstructions as PNG grids after every validation, and early on.

    Loggers that take images, such as TensorBoard's and W&B's, get them too.

    Args:
        count: Number of images in a grid.
        temperature: Standard deviation of the sampled latents.
        first: Step after which the first ones are written; 0 for none before a validation.
    """

    def __init__(self, count: int = 64, temperature: float = 0.8, first: int = 100) -> None:
        self.count, self.temperature, self.first = count, temperature, first
        self.folder: Path | None = None

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, *batch: Any, **place: Any
    ) -> None:
        if trainer.global_step == self.first > 0 and self.folder is None:
            pl_module.eval()
            self._write(trainer, pl_module)
            pl_module.train()

    def on_validation_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._write(trainer, module)

    def _write(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        folder = picture_folder(trainer)  # asks all ranks
        if folder != self.folder:
            rank_zero_info(f"pictures of this run: {folder}/")
            self.folder = folder
        if not trainer.is_global_zero:
            return
        assert isinstance(module, FlowModule)
        flow = module.flow
        generator = torch.Generator(flow.device).manual_seed(0)
        try:
            samples = flow.sample(self.count, temperature=self.temperature, generator=generator)
        except NonFiniteError as error:
            rank_zero_warn(str(error))
        else:
            _show(trainer, folder, "samples", samples)
        images = trainer.datamodule.val[: self.count]  # type: ignore[attr-defined]
        images = module.spread(images.to(flow.device))
        back = flow.decode(flow.encode(images, exact=False), (images.shape[2], images.shape[3]))
        pairs = torch.stack([images, back], dim=1).flatten(0, 1)
        _show(trainer, folder, "reconstructions", pairs)


def picture_folder(trainer: L.Trainer) -> Path:
    """Folder of the pictures of a run; all ranks must ask for it."""
    return Path(trainer.log_dir or trainer.default_root_dir) / "pictures"


def _show(trainer: L.Trainer, folder: Path, name: str, images: Tensor) -> None:
    """Write images uint8 (N, C, H, W) as one picture, and give it to the loggers."""
    picture = grid(images, COLUMNS)
    write_image(picture, folder / f"{trainer.global_step:07d}_{name}.png")
    for logger in trainer.loggers:
        log_picture(logger, f"pictures/{name}", picture, trainer.global_step)
