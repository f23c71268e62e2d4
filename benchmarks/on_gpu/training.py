"""Training throughput, the levers one by one, beside normflows' Glow."""

import contextlib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.on_gpu.clock import milliseconds
from benchmarks.on_gpu.flows import config_of, pictures, ready
from benchmarks.on_gpu.report import Row, Setup
from zoo.exact.full_precision import full_precision
from zoo.flow import Flow
from zoo.training.speed import Nets, prepare

CASES = [
    *(("compact_cifar10", name) for name in ("glow", "finc", "cinc")),
    *(("paper_cifar10", name) for name in ("glow", "finc")),
]
BATCH = 64
# Type of the nets, whether TF32 is refused, whether the step is a graph.
LEVERS: dict[str, tuple[Nets, bool, bool]] = {
    "float32": ("float32", True, False),
    "TF32": ("float32", False, False),
    "bfloat16 nets": ("bfloat16", False, False),
    "captured": ("bfloat16", False, True),
}


def training(setup: Setup) -> Iterator[Row]:
    """A row for each flow and lever; images a second."""
    for preset, name in CASES[1:2] if setup.tiny else CASES:
        images = pictures(config_of(name, preset, setup), 2 if setup.tiny else BATCH, setup.device)
        if name == "glow" and find_spec("normflows"):
            from benchmarks.normflows_glow import NormflowsGlow

            peer = NormflowsGlow(config_of(name, preset, setup)).to(setup.device)
            step = step_of(peer.parameters(), lambda: peer.bits_per_dim(images))  # noqa: B023
            yield {"preset": preset, "flow": "normflows' Glow", **_speed(step, images)}
        for lever, (nets, strict, graph) in LEVERS.items():
            if graph and not images.is_cuda:
                continue
            flow = ready(config_of(name, preset, setup), setup.device).train()
            prepare(flow, nets, "store")
            with full_precision() if strict else _tf32():
                step = captured(flow, images) if graph else eager(flow, images)
                row = _speed(step, images)
            yield {"preset": preset, "flow": name, "lever": lever, **row}


def eager(flow: Flow, images: Tensor) -> Callable[[], Any]:
    """A step as training does it."""
    return step_of(flow.parameters(), lambda: flow.bits_per_dim(images, checked=False))


def captured(flow: Flow, images: Tensor) -> Callable[[], Any]:
    """A step as one graph, its optimiser with it."""
    step = step_of(
        flow.parameters(), lambda: flow.bits_per_dim(images, checked=False), capturable=True
    )
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def step_of(
    parameters: Iterator[nn.Parameter], likelihood: Callable[[], Tensor], **options: bool
) -> Callable[[], None]:
    """Forward, backward and optimiser."""
    optimizer = torch.optim.Adam(parameters, lr=1e-4, fused=True, **options)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        likelihood().mean().backward()
        optimizer.step()

    return step


def _speed(step: Callable[[], Any], images: Tensor) -> Row:
    if images.is_cuda:
        torch.cuda.reset_peak_memory_stats()
    row: Row = {"images/s": 1000 * len(images) / milliseconds(step, 0.3)}
    if images.is_cuda:
        row["peak MiB"] = torch.cuda.max_memory_allocated() / 2**20
    return row


@contextlib.contextmanager
def _tf32() -> Iterator[None]:
    """As torch does by default on GPUs, and products too."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
