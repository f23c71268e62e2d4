"""One of the two ranks of test_ddp.py: python -m tests.training.ddp_rank FOLDER CHECKPOINT.

The recipes are FOLDER/NAME.yaml; every rank leaves FOLDER/NAME-RANK.pt of what it saw.
"""

import os
import sys
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback

from zoo.bijections import ActNorm
from zoo.errors import NonFiniteError
from zoo.training import callbacks
from zoo.training.lightning_cli import train


class Witness(Callback):
    """Saves the images of the first epoch, ActNorm as the first batch leaves it, and the end.

    Args:
        path: File to save to, {rank} in its name.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.images, self.actnorm = [], None

    def on_train_batch_start(self, trainer, module, images, batch_idx) -> None:
        if trainer.current_epoch == 0:
            self.images.append(images)

    def on_before_backward(self, trainer, module, loss) -> None:
        if self.actnorm is None:
            layers = [layer for layer in module.modules() if isinstance(layer, ActNorm)]
            self.actnorm = [p.detach().clone() for layer in layers for p in layer.parameters()]

    def on_train_end(self, trainer, module) -> None:
        seen = {"images": torch.cat(self.images), "actnorm": self.actnorm}
        end = {"metrics": dict(trainer.callback_metrics), "weights": module.flow.state_dict()}
        torch.save(seen | end, self.path.format(rank=trainer.global_rank))


class Poison(Callback):
    """Makes the weights of rank 1 infinite before its fourth batch."""

    def on_train_batch_start(self, trainer, module, images, batch_idx) -> None:
        if batch_idx == 3 and trainer.global_rank == 1:
            torch.nn.init.constant_(module.flow.blocks[0].bijections[1].taps, float("inf"))


def main(folder: Path, checkpoint: str, rank: str) -> None:
    pictures, write_image = [], callbacks.write_image
    callbacks.write_image = lambda image, path: (
        pictures.append(str(path)),
        write_image(image, path),
    )
    train(["--config", str(folder / "whole.yaml")])
    torch.save(pictures, folder / f"pictures-{rank}.pt")
    train(["--config", str(folder / "first.yaml")])
    train(["--config", str(folder / "resumed.yaml"), "--ckpt_path", checkpoint])
    try:
        train(["--config", str(folder / "poisoned.yaml")])
    except NonFiniteError as error:
        (folder / f"error-{rank}.txt").write_text(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], os.environ["RANK"])
