"""Images per second of one and more processes of one thread each, in training and in encoding.

Every measurement is a run of this module in fresh processes, which Lightning's ddp strategy starts:

    python -m benchmarks.scaling PROCESSES DATA_DIR
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from zoo.latents.encoding import Encoder, ShardData, ShardWriter
from zoo.sources import load
from zoo.training.image_data import ImageData
from zoo.training.module import FlowModule

MODEL, DATASET = "finc_mnist", "mnist"
TRAIN_BATCH, SHARD = 32, 100
WARM_UP, TRAIN_STEPS, SHARDS = 3, 25, 10


class Row(NamedTuple):
    """One measurement.

    Attributes:
        task: "training" (forward, backward, all-reduce and step) or "encoding" (with its
            verification, written to disk).
        processes: Each has one thread and its own batches.
        images_per_second: Rate of all processes together.
        efficiency: Ratio of that to as many times the rate of one process alone.
    """

    task: str
    processes: int
    images_per_second: float
    efficiency: float


def measure(data_dir: Path, processes: Sequence[int], repeats: int) -> list[Row]:
    """Measure every task with each number of processes, which take turns; medians.

    Args:
        data_dir: Folder of MNIST's raw files.
        processes: Numbers of processes, 1 first.
        repeats: Turns.
    """
    rates: dict[tuple[str, int], list[float]] = {(task, n): [] for task in TASKS for n in processes}
    for n in list(processes) * repeats:
        for task, rate in _in_fresh_processes(n, data_dir).items():
            rates[task, n].append(rate)
    medians = {case: statistics.median(values) for case, values in rates.items()}
    return [
        Row(task, n, rate, rate / (n * medians[task, 1])) for (task, n), rate in medians.items()
    ]


def _in_fresh_processes(processes: int, data_dir: Path) -> dict[str, float]:
    """Rates of all tasks."""
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.scaling", str(processes), str(data_dir)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rates: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return rates


class Stopwatch(Callback):
    """Images per second of all ranks together, after some batches to warm up.

    Args:
        batch_size: Images in every batch.
    """

    rate: float

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.ticks: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ticks.append(time.perf_counter())

    def on_predict_batch_end(self, *_: Any) -> None:
        self.ticks.append(time.perf_counter())

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        ticks = self.ticks[WARM_UP - 1 :]
        rate = self.batch_size * (len(ticks) - 1) / (ticks[-1] - ticks[0])
        self.rate = float(trainer.strategy.reduce(torch.tensor(rate), reduce_op="sum"))

    on_predict_end = on_train_end


class SomeShards(ShardWriter):
    """Writes shards, but no index: they are not all there."""

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None: ...


def _trainer(processes: int, *callbacks: Callback, **limits: int) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        devices=processes,
        strategy="ddp" if processes > 1 else "auto",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        limit_val_batches=0,
        **limits,  # type: ignore[arg-type]
    )


def _train(processes: int, data_dir: Path) -> float:
    watch = Stopwatch(TRAIN_BATCH)
    trainer = _trainer(processes, watch, max_steps=WARM_UP + TRAIN_STEPS)
    data = ImageData(DATASET, str(data_dir), batch_size=TRAIN_BATCH)
    trainer.fit(FlowModule("finc", "compact_mnist"), datamodule=data)
    return watch.rate


def _encode(processes: int, data_dir: Path) -> float:
    watch, flow = Stopwatch(SHARD), load(MODEL)
    limit = WARM_UP + SHARDS
    trainer = _trainer(processes, SomeShards(), watch, limit_predict_batches=limit)
    with tempfile.TemporaryDirectory() as folder:
        data = ShardData(flow, MODEL, DATASET, data_dir, "test", SHARD, Path(folder))
        trainer.predict(Encoder(flow, SHARD), datamodule=data, return_predictions=False)
    return watch.rate


TASKS: dict[str, Callable[[int, Path], float]] = {"training": _train, "encoding": _encode}


if __name__ == "__main__":
    torch.set_num_threads(1)
    rates = {task: run(int(sys.argv[1]), Path(sys.argv[2])) for task, run in TASKS.items()}
    if os.environ.get("LOCAL_RANK", "0") == "0":
        print(json.dumps(rates))
