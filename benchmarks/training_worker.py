"""One contestant of the training benchmark in a process of its own: `python -m` this module.

Its argument is a `Contestant` in JSON. It answers each line that it reads with the seconds of some
steps, and the end of its input with the MiB that training took at most (Linux only). A step before
them is not clocked: it finds caches and memory as the others' turns have left them.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.training import Contestant
from zoo.architectures import ARCHITECTURES
from zoo.config import FlowConfig
from zoo.devices import synchronize
from zoo.training.module import FlowModule
from zoo.training.speed import Speed, prepare, tune

WARM_UP = 6


def main() -> None:
    """Train when asked to."""
    contestant = Contestant(**json.loads(sys.argv[1]))
    step = make_step(contestant)
    before = start_of_peak()
    for _ in range(WARM_UP):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        step()
        start = time.perf_counter()
        for _ in range(contestant.steps):
            step()
        synchronize()
        print(time.perf_counter() - start, flush=True)
    print(mebibytes_of("VmHWM") - before)


def make_step(contestant: Contestant) -> Callable[[], None]:
    """Make one step of training: forward, backward, optimiser."""
    torch.manual_seed(0)
    if contestant.tuned:
        tune()
    peer = contestant.name == "normflows"
    config = ARCHITECTURES["glow" if peer else contestant.name].preset(contestant.preset)
    images = pictures(config, contestant.batch)
    model = _peer(config) if peer else _ours(contestant, images)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=contestant.fused)

    def step() -> None:
        optimizer.zero_grad()
        model.bits_per_dim(images).mean().backward()  # type: ignore[operator]
        optimizer.step()

    return step


def pictures(config: FlowConfig, batch: int) -> Tensor:
    """Smooth images with a little noise, uint8 (batch, C, H, W)."""
    coarse = torch.rand(batch, config.channels, 4, 4)
    smooth = F.interpolate(coarse, config.size, mode="bilinear", align_corners=False)
    return (smooth * 240 + torch.rand_like(smooth) * 15).to(torch.uint8)


def _peer(config: FlowConfig) -> nn.Module:
    from benchmarks.normflows_glow import NormflowsGlow

    return NormflowsGlow(config)


def _ours(contestant: Contestant, images: Tensor) -> nn.Module:
    flow = FlowModule(contestant.name, contestant.preset).flow
    speed = Speed(**contestant.speed)
    prepare(flow, speed.nets, speed.activations)
    with torch.no_grad():
        flow.bits_per_dim(images)  # sets the actnorms
    if speed.compile:
        flow.compile()
    return flow


def start_of_peak() -> float:
    """Forget the peak so far; what the process holds now, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    return mebibytes_of("VmRSS")


def mebibytes_of(entry: str) -> float:
    """A number of this process that Linux gives in KiB, such as VmHWM, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(entry))


if __name__ == "__main__":
    main()
