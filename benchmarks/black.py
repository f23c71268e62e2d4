"""Gain of more room for black: equal runs with each preprocessing, on pictures with black around.

    python -m benchmarks black --data-dir data

A run is recipes/<data set>/finc.yaml with another preprocessing, in 1,000 steps by Muon. It stays
in runs/black/<data set>-<preprocessing>-seed<seed> and is not repeated once its result is there;
runs/black/black.csv is the table of all results.
"""

from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks.equal_runs import Run, likelihood, validation_images, write_table
from zoo.config import Preprocessing
from zoo.exact.round_trip import precision
from zoo.flow import Flow
from zoo.images import hard_images

DATASETS = ("mnist", "fashion_mnist")
STEPS, IMAGES = 1000, 1000
OPTIONS = ("--model.optimizer", "muon", "--model.schedule", "linear")


def make_run(dataset: str, preprocessing: str, output: Path, seed: int) -> Run:
    """The run of a data set with a preprocessing."""
    folder = output / f"{dataset}-{preprocessing}-seed{seed}"
    preparation = {"preprocessing": preprocessing, "logit_alpha": 1e-3, "black_share": 0.95}
    overrides = {**preparation, "hidden_channels": 64}
    return Run(f"{dataset}/finc.yaml", folder, overrides, STEPS, seed, OPTIONS)


@torch.no_grad()
def measure(flow: Flow, dataset: str, data_dir: Path) -> dict[str, Any]:
    """Validation bits/dim, those of black images, and what hostile images take."""
    images = validation_images(dataset, data_dir, IMAGES)
    hostile = hard_images(flow.config.channels, flow.config.size, images)
    return {
        "data": dataset,
        "preprocessing": flow.config.preprocessing,
        **likelihood(flow, images),
        "black": likelihood(flow, torch.zeros_like(images[:100]))["bits_per_dim"],
        "hostile": len(hostile),
        **precision(torch.cat([flow.encode(batch).double() for batch in hostile.split(32)])),
    }


def run(data_dir: Path, output: Path, seed: int) -> None:
    """Train and measure every run, one after the other."""
    for dataset in DATASETS:
        for name in get_args(Preprocessing):
            training = make_run(dataset, name, output, seed)
            training.result(data_dir, lambda flow, data=dataset: measure(flow, data, data_dir))
            write_table(output, "black.csv", lambda row: (row["data"], row["bits_per_dim"]))
