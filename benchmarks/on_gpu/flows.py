"""Whole flows beside Glow: encoding and sampling, launched one by one and captured."""

import math
from collections.abc import Iterator

import torch

from benchmarks.on_gpu.clock import milliseconds
from benchmarks.on_gpu.report import Row, Setup
from benchmarks.sequential import use_sequential
from zoo.architectures import ARCHITECTURES, build
from zoo.config import FlowConfig
from zoo.flow import Flow

PRESETS = ("compact_cifar10", "paper_cifar10")
# Glow first: the others are compared with it.
FLOWS = ("glow", *(name for name in ARCHITECTURES if name != "glow"))


def config_of(architecture: str, preset: str, setup: Setup) -> FlowConfig:
    """A configuration, a small one in a dry run."""
    small = {"steps": 1, "hidden_channels": 8, "size": (8, 8)} if setup.tiny else {}
    return ARCHITECTURES[architecture].preset(preset, **small)


@torch.no_grad()
def ready(config: FlowConfig, device: torch.device) -> Flow:
    """A flow with its ActNorms set, and weights off their starts."""
    torch.manual_seed(0)
    flow = build(config).to(device)
    flow.log_prob(pictures(config, 16, device))
    for parameter in flow.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.0001)
    return flow.eval()


def pictures(config: FlowConfig, batch: int, device: torch.device) -> torch.Tensor:
    """Noise, uint8 (batch, C, H, W)."""
    shape = (batch, config.channels, *config.size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, device=device)


@torch.no_grad()
def flows(setup: Setup) -> Iterator[Row]:
    """A row for each flow, and one for Emerging by the sequential algorithm."""
    for preset in PRESETS[:1] if setup.tiny else PRESETS:
        glow: Row = {}
        for name in FLOWS:
            if preset not in ARCHITECTURES[name].presets:
                continue
            flow = ready(config_of(name, preset, setup), setup.device)
            row = {"preset": preset, "flow": name, **_times(flow, setup)}
            glow = glow or row
            yield {**row, **{f"{key} / glow": row[key] / glow[key] for key in TASKS}}
            if (preset, name) == (PRESETS[0], "emerging"):
                yield {"preset": preset, "flow": "emerging, sequential", **_slow(flow, setup)}


TASKS = ("encode", "sample", "captured encode", "captured sample")


def _times(flow: Flow, setup: Setup) -> Row:
    images = pictures(flow.config, setup.batch, setup.device)
    calls = {
        "encode": lambda: flow.encode(images, exact=False),
        "sample": lambda: flow.sample(setup.batch, temperature=0.7),
        "exact encode": lambda: flow.encode(images),
    }
    if setup.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    row: Row = {name: milliseconds(call, 0.2) for name, call in calls.items()}
    if setup.device.type == "cuda":
        row["peak MiB"] = torch.cuda.max_memory_allocated() / 2**20
    flow.capture()
    for call in calls.values():
        call(), call()
    row |= {f"captured {name}": milliseconds(call, 0.2) for name, call in calls.items()}
    return row


def _slow(flow: Flow, setup: Setup) -> Row:
    z = torch.randn(setup.batch, math.prod((flow.config.channels, *flow.config.size)))
    z = 0.7 * z.to(setup.device)
    flow.capture(False)
    x, _ = flow.inverse(z)
    use_sequential(flow)
    off = (flow.inverse(z)[0] - x).abs().max()
    return {"sample": milliseconds(lambda: flow.inverse(z), 0.01), "off": float(off)}
