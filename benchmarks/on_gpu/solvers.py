"""Inverses of single layers by every method: time over that of the convolution, and errors."""

import dataclasses
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from benchmarks.costs import PLANS, Timed, fit, name_of
from benchmarks.on_gpu.clock import captured_milliseconds, milliseconds
from benchmarks.on_gpu.report import Row, Setup
from zoo.bijections import FInCUnit, PaddedConv2d
from zoo.bijections.padded_conv import CornerConv
from zoo.exact.full_precision import full_precision
from zoo.solvers import CORNERS, Operator, Plan, Shape, choose, prepare
from zoo.solvers.choice import Work, candidates

# Channels, side, k: layers of 32 x 32 and 64 x 64 images, larger kernels, and photographs.
LAYERS = [
    *((12, 16, 3), (24, 8, 3), (48, 4, 3), (12, 32, 3), (24, 16, 3), (48, 8, 3)),
    *((12, 16, 5), (12, 16, 7), (12, 128, 3)),
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
    shape = shape_of(row, setup.device.type)
    chosen = choose("auto", shape)
    for plan in [*candidates(shape), *([Plan("wavefront")] if batch > 1 else [])]:
        yield {
            **about,
            "method": name_of(plan),
            "chosen": plan == chosen,
            "chosen captured": plan == choose("auto", captured(shape)),
            **_solved(operator, size, plan, y, expected, row),
        }


def shape_of(row: Row, device: str) -> Shape:
    """The problem that a row is about."""
    corners = CORNERS if row["unit"] == "finc" else CORNERS[:1]
    size, k = (row["side"], row["side"]), (row["k"], row["k"])
    return Shape(row["C"] // len(corners), k, corners, size, row["batch"], device)


def captured(shape: Shape) -> Shape:
    """The same problem in a CUDA graph."""
    return dataclasses.replace(shape, device="captured")


def costs(rows: Iterable[Row]) -> dict[str, Work]:
    """Costs that fit the rows of a GPU best, by what launches them."""
    cases: dict[Shape, list[Row]] = {}
    for row in rows:
        if row.get("method", "convolution") not in ("convolution", "wavefront"):
            cases.setdefault(shape_of(row, "cuda"), []).append(row)
    eager: list[Timed] = [(s, _times_of(rows, "ms")) for s, rows in cases.items()]
    graphs = [(captured(s), _times_of(rows, "captured")) for s, rows in cases.items()]
    recorded = fit(graphs)
    return {"gpu": fit(eager, recorded), "captured": recorded}


def _times_of(rows: list[Row], key: str) -> dict[Plan, float]:
    return {PLANS[row["method"]]: 1000 * row[key] for row in rows}


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
