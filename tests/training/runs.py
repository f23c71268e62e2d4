"""Tiny runs of `flowzoo train` on scikit-learn's digits, for the tests."""

from pathlib import Path
from typing import Any

import yaml

from zoo.training.lightning_cli import train

OVERRIDES = {"size": [8, 8], "steps": 1, "hidden_channels": 4}


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    """A recipe of 10 batches an epoch; `changes` are to its sections, like data={...}."""
    sections = {
        "model": {
            "architecture": "finc",
            "preset": "compact_mnist",
            "overrides": OVERRIDES,
            "warmup_steps": 2,
        },
        "data": {"name": "digits", "batch_size": 128, "val_images": 100},
        "trainer": {
            "max_steps": 24,
            "val_check_interval": 4,
            "check_val_every_n_epoch": None,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "accelerator": "cpu",
            "default_root_dir": str(folder),
            "log_every_n_steps": 1,
            "logger": {
                "class_path": "lightning.pytorch.loggers.CSVLogger",
                "init_args": {"save_dir": str(folder), "name": "", "version": ""},
            },
        },
        "checkpoint": {"dirpath": str(folder / "checkpoints"), "save_top_k": -1},
        "ema": {"decay": 0.5},
        "pictures": {"count": 4},
    }
    return {
        name: {**sections.get(name, {}), **changes.get(name, {})}
        for name in {**sections, **changes}
    }


def run(folder: Path, *arguments: str, **changes: Any) -> Path:
    """Train and return the last checkpoint."""
    folder.mkdir(exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(folder, **changes)))
    train(["--config", str(path), *arguments])
    return folder / "checkpoints" / "last.ckpt"
