"""Time that whole flows take to encode, score and sample, and its parts."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.timing import interleaved_medians
from zoo.architectures import ARCHITECTURES, build, find_architecture
from zoo.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    ConvolutionalCoupling,
    QuadCoupling,
    Split,
)
from zoo.bijections.padded_conv import CornerConv
from zoo.flow import Flow

TASKS: dict[str, Callable[[Flow, Tensor], Any]] = {
    "encode": lambda flow, images: flow.encode(images, exact=False),
    "encode exact": lambda flow, images: flow.encode(images),
    "log_prob": lambda flow, images: flow.log_prob(images),
    "sample": lambda flow, images: flow.sample(len(images), temperature=0.7),
}
COUPLINGS = (AffineCoupling, AdditiveCoupling, ConvolutionalCoupling, QuadCoupling, Split)


@dataclass(frozen=True)
class Row:
    """One task of one flow.

    Attributes:
        architecture: Architecture of the flow.
        preset: In which size.
        task: Task that was measured.
        batch: Images at a time.
        milliseconds: Median for the batch.
        ratio: To Glow's in the same size.
        floor_ms: Time of the arithmetic of the coupling nets at the speed of one large
            convolution; a verified encoding runs them twice.
        parts: Milliseconds by kind of layer, from one run with a clock around each layer.
    """

    architecture: str
    preset: str
    task: str
    batch: int
    milliseconds: float
    ratio: float
    floor_ms: float
    parts: dict[str, float]

    def record(self) -> dict[str, object]:
        """As a line of a table."""
        values = dataclasses.asdict(self)
        parts = {f"{name}_ms": value for name, value in values.pop("parts").items()}
        return {**values, "threads": torch.get_num_threads(), **parts}


@torch.no_grad()
def measure(preset: str, batch: int, repeats: int) -> list[Row]:
    """Time every task of every architecture that has this size, all of them interleaved.

    Args:
        preset: Such as compact_mnist.
        batch: Images at a time.
        repeats: Number of timings of each.
    """
    find_architecture("glow").preset(preset)  # the one that the others are compared with
    names = [name for name, entry in ARCHITECTURES.items() if preset in entry.presets]
    flows = {name: random_flow(name, preset) for name in names}
    config = flows["glow"].config
    images = torch.randint(0, 256, (batch, config.channels, *config.size), dtype=torch.uint8)
    calls = {
        (name, task): partial(call, flow, images)
        for name, flow in flows.items()
        for task, call in TASKS.items()
    }
    times = interleaved_medians(calls, repeats)
    speed = peak_flops_per_ms()
    return [
        Row(
            name,
            preset,
            task,
            batch,
            times[name, task],
            times[name, task] / times["glow", task],
            coupling_flops(flows[name], images) / speed * (2 if task == "encode exact" else 1),
            parts(flows[name], calls[name, task]),
        )
        for name, task in calls
    ]


def random_flow(architecture: str, preset: str, **changes: Any) -> Flow:
    """A flow with random weights, its actnorms initialised and no coupling at the identity."""
    torch.manual_seed(0)
    flow = build(ARCHITECTURES[architecture].preset(preset, **changes))
    config = flow.config
    flow.log_prob(torch.randint(0, 256, (16, config.channels, *config.size), dtype=torch.uint8))
    for parameter in flow.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=0.0005)
    for layer in flow.modules():
        if isinstance(layer, CornerConv):  # at a paper's depth, untrained ones add up to overflow
            layer.taps.mul_(0.1)
    return flow.eval()


def coupling_flops(flow: Flow, images: Tensor) -> float:
    """Floating-point operations of all networks in couplings, in one direction."""
    total = 0

    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal total
        with FlopCounterMode(display=False) as counter:
            module.forward(*inputs)
        total += counter.get_total_flops()

    nets = [
        module.nets if isinstance(module, QuadCoupling) else module.net
        for module in flow.modules()
        if isinstance(module, COUPLINGS)
    ]
    hooks = [net.register_forward_pre_hook(count) for net in nets]
    flow.encode(images, exact=False)
    for hook in hooks:
        hook.remove()
    return float(total)


@torch.no_grad()
def peak_flops_per_ms() -> float:
    """Measured speed of one large 3 x 3 convolution, 128 to 128 channels, in channels_last."""
    x = torch.randn(16, 128, 32, 32).contiguous(memory_format=torch.channels_last)
    convolution = nn.Conv2d(128, 128, 3, padding=1).to(memory_format=torch.channels_last)
    times = interleaved_medians({"": lambda: convolution(x)}, repeats=5)
    return 2 * 16 * 32 * 32 * 128 * 128 * 9 / times[""]


def parts(flow: Flow, call: Callable[[], Any]) -> dict[str, float]:
    """Milliseconds of a call by kind of layer; what is left is "other"."""
    spent: dict[str, float] = {}
    with _clocks(flow, spent):
        start = time.perf_counter()
        call()
        total = 1000 * (time.perf_counter() - start)
    return {**spent, "other": total - sum(spent.values())}


@contextmanager
def _clocks(flow: Flow, spent: dict[str, float]) -> Iterator[None]:
    """Put a clock around both directions of every layer."""
    layers = [layer for _, layer in flow.named_bijections()]

    def clocked(kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments)
            spent[kind] = spent.get(kind, 0.0) + 1000 * (time.perf_counter() - start)
            return result

        return run

    for layer in layers:
        for direction in ("forward", "inverse"):
            function = clocked(type(layer).__name__, getattr(layer, direction))
            setattr(layer, direction, function)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward, layer.inverse
