"""Initialise ActNorm from more images than a training batch holds."""

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from zoo.data.noise import dequantization_noise, generator
from zoo.training.module import FlowModule
from zoo.training.sampler import run_seed


class FirstImages(Callback):
    """Pass images through the flow before the first step, which initialises every ActNorm.

    Glow's code and those that go on from it take 256 images of 32 x 32. The ActNorms
    of a run that is resumed, or of a flow that is fine-tuned, stay as they are. Which images
    follows from the seed of the run, and not from the number of processes.

    Args:
        count: Number of training images, of all processes together.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        assert isinstance(module, FlowModule)
        if trainer.global_step > 0:
            return
        data = trainer.datamodule.train  # type: ignore[attr-defined]
        order = torch.randperm(len(data), generator=generator(run_seed(), "first images"))
        share = order[: self.count][trainer.global_rank :: trainer.world_size]
        images = module.spread(data[share].to(module.flow.device))
        module.flow.train()
        with torch.no_grad():
            noise = dequantization_noise(images, run_seed(), "first images")
            module.flow.log_prob(images, noise=noise)
