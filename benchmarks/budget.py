"""Bits/dim after equal minutes of training on MNIST, beside normflows' Glow."""

import math
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.normflows_glow import NormflowsGlow
from zoo.architectures import ARCHITECTURES
from zoo.data import load_images
from zoo.training.module import FlowModule
from zoo.training.speed import tune

CONTESTANTS = ("normflows", "glow")
PRESET = "compact_mnist"
LOGIT = {"preprocessing": "logit"}  # all that normflows has
BATCH, LR, WARM_UP, DECAY, CLIP = 32, 1e-3, 200, 0.999, 50.0


class Row(NamedTuple):
    """One run.

    Attributes:
        flow: Architecture, or "normflows" for that library's Glow.
        minutes: Minutes of training.
        steps: Steps done in them.
        bits_per_dim: Bits/dim of the test split, one draw per image, averaged weights.
        threads: Threads of torch.
    """

    flow: str
    minutes: float
    steps: int
    bits_per_dim: float
    threads: int


def train(flow: str, minutes: float, data_dir: Path) -> Row:
    """Train from scratch; size, data, optimiser, schedule and averaging are the same for all.

    Args:
        flow: One of `CONTESTANTS`.
        minutes: Minutes of training, by the clock; the rate decays to 0 at their end.
        data_dir: Folder of MNIST's raw files.
    """
    torch.manual_seed(0)
    tune()
    model = _build(flow)
    images = load_images("mnist", data_dir, "train")
    average, steps = _fit(model, images, 60 * minutes)
    torch.manual_seed(0)
    test = load_images("mnist", data_dir, "test")
    with torch.no_grad():
        bits = torch.cat(
            [
                average.bits_per_dim(part)  # type: ignore[operator]
                for part in test.split(250)
            ]
        )
    return Row(flow, minutes, steps, float(bits.double().mean()), torch.get_num_threads())


def _build(flow: str) -> nn.Module:
    if flow == "normflows":
        return NormflowsGlow(ARCHITECTURES["glow"].preset(PRESET, **LOGIT))
    return FlowModule(flow, PRESET, LOGIT).flow


def _fit(model: nn.Module, images: Tensor, seconds: float) -> tuple[nn.Module, int]:
    """Train for some seconds; the averaged model in eval mode, and the number of steps."""
    model.bits_per_dim(images[:256])  # type: ignore[operator]  # sets the actnorms
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(DECAY))
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
    start, steps = time.monotonic(), 0
    while (spent := (time.monotonic() - start) / seconds) < 1:
        warm_up = min(1.0, (steps + 1) / WARM_UP)
        optimizer.param_groups[0]["lr"] = LR * warm_up * 0.5 * (1 + math.cos(math.pi * spent))
        batch = images[torch.randint(len(images), (BATCH,))]
        optimizer.zero_grad()
        model.bits_per_dim(batch).mean().backward()  # type: ignore[operator]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        average.update_parameters(model)
        steps += 1
    averaged: nn.Module = average.module
    return averaged.eval(), steps
