"""Launches, synchronisations and copies of flows on a GPU, counted without one.

    python -m benchmarks launches --out docs/benchmarks/gpu

Counts are of one warm call on fake CUDA tensors, and of one step of training; an eager launch costs
about 5 microseconds. Writes launches.csv.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from benchmarks.fake_gpu import Watch, fake_gpu
from benchmarks.records import write_csv
from zoo.architectures import ARCHITECTURES, build
from zoo.bijections import ActNorm
from zoo.config import FlowConfig
from zoo.flow import Flow
from zoo.training.callbacks import EMA
from zoo.training.module import FlowModule

PRESETS = ("compact_cifar10", "paper_cifar10")


def calls(flow: Flow, images: Tensor) -> dict[str, Callable[[], Any]]:
    """Calls in evaluation to count."""
    z = torch.zeros(len(images), images[0].numel(), device=images.device)
    return {
        "encode": lambda: flow.encode(images),
        "encode, not verified": lambda: flow.encode(images, exact=False),
        "decode": lambda: flow.decode(z),
        "sample": lambda: flow.sample(len(images)),
        "log_prob": lambda: flow.log_prob(images),
    }


def initialized(flow: Flow) -> Flow:
    """The flow as after its first step of training."""
    for layer in flow.modules():
        if isinstance(layer, ActNorm):
            layer.initialized.fill_(True)
    return flow


def pictures(config: FlowConfig, batch: int, device: str) -> Tensor:
    """Images without pixels, uint8 (batch, C, H, W)."""
    return torch.zeros(batch, config.channels, *config.size, dtype=torch.uint8, device=device)


def in_evaluation(config: FlowConfig, batch: int) -> Iterator[tuple[str, Watch]]:
    """Name and count of each warm call."""
    flow = initialized(build(config)).eval()
    with fake_gpu(flow) as watch:
        for name, call in calls(flow, pictures(config, batch, "cuda")).items():
            call()
            watch.reset()
            call()
            yield name, watch


def in_training(module: FlowModule, batch: int) -> Iterator[tuple[str, Watch]]:
    """Name and count of the parts of a step, but for what follows the gradients."""
    initialized(module.flow)
    with fake_gpu(module, "meta") as watch:
        images = pictures(module.flow.config, batch, "meta")
        module.training_step(images, 0)  # it asks more than the others
        watch.reset()
        loss = module.training_step(images, 0)
        yield "training: forward", watch
        watch.reset()
        loss.backward()
        yield "training: backward", watch


def after_gradients(module: FlowModule) -> Iterator[tuple[str, Watch]]:
    """Name and count of the rest of a step."""
    average = EMA()
    trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cuda")))
    with fake_gpu(module) as watch:
        optimizer = module.new_optimizer()
        average.setup(trainer, module, "fit")  # type: ignore[arg-type]
        parts: dict[str, Callable[[], Any]] = {
            "checks": lambda: module.on_before_optimizer_step(optimizer),
            "optimiser": optimizer.step,
            "averages": lambda: average._average_model.update_parameters(module),  # type: ignore[union-attr]
        }
        for name, part in parts.items():
            for _ in range(2):
                for parameter in module.parameters():
                    parameter.grad = torch.zeros_like(parameter)
                watch.reset()
                part()
            yield f"training: {name}", watch


def measure(architecture: str, preset: str, batch: int) -> Iterator[dict[str, Any]]:
    """A record for each call."""
    config = ARCHITECTURES[architecture].presets[preset]
    parts = (
        in_evaluation(config, batch),
        in_training(FlowModule(architecture, preset), batch),
        after_gradients(FlowModule(architecture, preset)),
    )
    for name, watch in itertools.chain(*parts):
        yield {
            "preset": preset,
            "flow": architecture,
            "call": name,
            "launches": watch.launches.total(),
            "synchronisations": watch.waits.total(),
            "copies": watch.copies.total(),
        }


def run(presets: Sequence[str], batch: int, output: Path) -> None:
    """Count all architectures in all sizes."""
    warnings.filterwarnings("ignore")
    records: list[dict[str, Any]] = []
    for preset in presets:
        for architecture in ARCHITECTURES:
            if preset in ARCHITECTURES[architecture].presets:
                records += measure(architecture, preset, batch)
                print(*map(str, records[-1].values()), flush=True)
                write_csv(output / "launches.csv", records)
