"""Short training runs at equal budgets, each kept in a folder of its own and not repeated."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.records import write_csv
from zoo.files import write_json
from zoo.flow import Flow
from zoo.training.export_folder import load_checkpoint
from zoo.training.image_data import ImageData
from zoo.training.lightning_cli import train

RECIPES = Path(__file__).parents[1] / "recipes"
RESULT = "result.json"


@dataclass(frozen=True)
class Run:
    """A recipe with some fields of the configuration changed, cut to a number of steps.

    Attributes:
        recipe: Path below recipes/.
        folder: Folder of its checkpoints and its result.
        overrides: Fields of the flow's configuration.
        steps: Optimiser steps.
        seed: Seed of everything.
        options: Further options of `flowzoo train`.
    """

    recipe: str
    folder: Path
    overrides: dict[str, Any]
    steps: int
    seed: int
    options: tuple[str, ...] = ()

    def arguments(self, data_dir: Path) -> list[str]:
        """Arguments of `flowzoo train` for this run."""
        return [
            *("--config", str(RECIPES / self.recipe), "--data.dir", str(data_dir)),
            *("--model.overrides", json.dumps(self.overrides), "--seed_everything", str(self.seed)),
            *("--trainer.max_steps", str(self.steps), "--trainer.val_check_interval"),
            # Averages reach over a tenth of the run, as they do in a whole one.
            *(str(self.steps), "--ema.decay", str(max(0.0, 1 - 10 / self.steps))),
            *("--trainer.default_root_dir", str(self.folder)),
            *("--checkpoint.dirpath", str(self.folder / "checkpoints"), *self.options),
        ]

    def result(self, data_dir: Path, measure: Callable[[Flow], dict[str, Any]]) -> None:
        """Train, measure the flow and write the result, unless that is done already."""
        if (self.folder / RESULT).exists():
            return
        checkpoint = self.folder / "checkpoints" / "last.ckpt"
        if not checkpoint.exists():
            train([*self.arguments(data_dir), *self._unfinished()])
        flow, saved = load_checkpoint(checkpoint)
        about = {"seed": self.seed, "steps": saved["global_step"]}
        write_json(self.folder / RESULT, {**about, **measure(flow)})

    def _unfinished(self) -> list[str]:
        """Options that go on with a run that was ended, from its newest checkpoint."""
        found = list((self.folder / "checkpoints").glob("*.ckpt"))
        newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
        return [] if newest is None else ["--ckpt_path", str(newest)]


def options(dataset: str) -> tuple[str, ...]:
    """Options of short runs on a data set: Adam, one rate, schedule and batch for all flows."""
    found = ["--model.optimizer", "adam", "--model.lr", "2e-3", "--model.schedule", "trapezoid"]
    found += ["--speed.nets", "bfloat16"]
    if dataset == "cifar10":  # its recipes have more images in a batch
        found += ["--data.batch_size", "32"]
    if dataset != "mnist":
        found += ["--data.flips", "horizontal"]
    return tuple(found)


def validation_images(
    dataset: str, data_dir: Path, count: int | None = None, size: tuple[int, int] | None = None
) -> Tensor:
    """The first images of a data set's validation split, uint8 (N, C, H, W).

    Args:
        dataset: Its name.
        data_dir: Folder of its files.
        count: Number of them; default: all.
        size: (H, W) of the crops of photographs.
    """
    data = ImageData(dataset, str(data_dir), size=None if size is None else list(size))
    data.setup("fit")
    return data.val[: len(data.val) if count is None else count]


@torch.no_grad()
def likelihood(flow: Flow, images: Tensor) -> dict[str, Any]:
    """Bits/dim of images from one draw of seed 0, with its standard error; and the parameters."""
    generator = torch.Generator().manual_seed(0)
    bits = torch.cat([flow.bits_per_dim(batch, generator=generator) for batch in images.split(250)])
    return {
        "bits_per_dim": float(bits.mean()),
        "standard_error": float(bits.std() / len(bits) ** 0.5),
        "parameters": sum(parameter.numel() for parameter in flow.parameters()),
    }


def write_table(output: Path, file: str, key: Callable[[dict[str, Any]], Any]) -> None:
    """Collect the results below a folder in a CSV file there, in the order of a key."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in output.glob(f"*/{RESULT}")]
    write_csv(output / file, sorted(results, key=key))
