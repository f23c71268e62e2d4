"""Inverses of single layers by every method: time over that of the convolution, and errors."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.on_gpu.clock import captured_milliseconds, milliseconds
from benchmarks.on_gpu.report import Row, Setup
from zoo.bijections import FInCUnit, PaddedConv2d
from zoo.bijections.padded_conv import CornerConv
from zoo.exact.full_precision import full_precision
from zoo.solvers import Operator, Plan, Shape, choose, prepare
from zoo.solvers.choice import candidates, cost

# Layers of 32 x 32 and 64 x 64 images: channels, side, k.
LAYERS = [
    *((12, 16, 3), (24, 8, 3), (48, 4, 3), (12, 16, 5), (12, 16, 7)),
    *((12, 32, 3), (24, 16, 3), (48, 8, 3)),
]


def layer_of(unit: str, channels: int, k: int) -> CornerConv:
    """A layer with weights as after some training."""
    torch.manual_seed(0)
    layer: CornerConv = FInCUnit(channels, k) if unit == "finc" else PaddedConv2d(channels, k)
    if layer.bias is not None:
        nn.init.normal_(layer.bias)
    return layer.eval()


@torch.no_grad()
def solvers(setup: Setup) -> Iterator[Row]:
    """A row for the convolution and for each plan, of each layer and batch."""
    layers = [(8, 4, 3)] if setup.tiny else LAYERS
    with full_precision():
        for channels, side, k in layers:
            for unit in ("finc", "full"):
                for batch in [2] if setup.tiny else [setup.batch, 1]:
                    yield from _layer(layer_of(unit, channels, k), unit, side, batch, setup)


def _layer(layer: CornerConv, unit: str, side: int, batch: int, setup: Setup) -> Iterator[Row]:
    operator, size, k = layer.operator(), (side, side), layer.kernel_size[0]
    y = torch.randn(batch, layer.channels, side, side)
    expected = prepare(operator, size, torch.float64, Plan("wavefront")).solve(y[:8].double())
    layer, y = layer.to(setup.device), y.to(setup.device)
    y = y.contiguous(memory_format=torch.channels_last)
    bias = None if operator.bias is None else operator.bias.to(setup.device)
    operator = Operator(operator.kernel.to(setup.device), operator.corners, bias)
    about = {"unit": unit, "C": layer.channels, "side": side, "k": k, "batch": batch}
    row = {**about, "method": "convolution", **_times(layer._convolve, y)}
    yield row
    channels, corners = layer.taps.shape[1], layer.corners
    shape = Shape(channels, layer.kernel_size, corners, size, batch, setup.device.type)
    chosen = choose("auto", shape)
    for plan in dict.fromkeys([chosen, *candidates(shape), Plan("wavefront")]):
        yield {
            **about,
            "method": " ".join(map(str, plan)) if plan.method == "blocked" else plan.method,
            "chosen": plan == chosen,
            "model us": cost(plan, shape) if plan.method != "wavefront" else None,
            **_solved(operator, size, plan, y, expected, row),
        }


def _solved(
    operator: Operator, size: tuple[int, int], plan: Plan, y: Tensor, expected: Tensor, to: Row
) -> Row:
    solver = prepare(operator, size, torch.float32, plan)
    error = solver.solve(y)[: len(expected)].double().cpu() - expected
    times = _times(solver.solve, y)
    ratios = {f"{key} ratio": time / to[key] for key, time in times.items() if time and to[key]}
    return {**times, **ratios, "relative error": float(error.norm() / expected.norm())}


def _times(function, y: Tensor) -> Row:  # type: ignore[no-untyped-def]
    return {"ms": milliseconds(lambda: function(y)), "captured": captured_milliseconds(function, y)}
