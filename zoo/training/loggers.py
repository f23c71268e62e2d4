"""Loggers of a run: pictures in those that take some, and numbers in a file too."""

import lightning as L
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor

from zoo.pictures import to_picture


def log_picture(logger: Logger, name: str, picture: Tensor, step: int) -> None:
    """Give a picture to a logger that takes images, as TensorBoard and W&B do; to no other.

    Args:
        logger: Logger of the run.
        name: Name among the logger's images.
        picture: uint8 (C, H, W).
        step: Number of optimiser steps.
    """
    if hasattr(logger, "log_image"):  # W&B's, and those that follow it
        logger.log_image(name, [to_picture(picture)], step=step)
    elif add := getattr(getattr(logger, "experiment", None), "add_image", None):  # TensorBoard's
        add(name, picture.cpu(), step)


def keep_metrics_file(trainer: L.Trainer) -> None:
    """Write metrics.csv beside what Lightning's own choice of a logger, TensorBoard, writes."""
    if isinstance(chosen := trainer.logger, TensorBoardLogger):
        beside = CSVLogger(trainer.default_root_dir, version=chosen.version)
        trainer.loggers = [chosen, beside]
