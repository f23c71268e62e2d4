"""Time per element of CONF's convolutions against the length of the signal, and of dense solves.

`flowzoo benchmark spectral` writes spectral_benchmark.csv and, with matplotlib, a PNG of it.
"""

import csv
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from zoo.bijections import CircularConv, SymmetricConv
from zoo.bijections.spectral_conv import SpectralConv
from zoo.errors import ConfigError
from zoo.files import write_atomically

NAME = "spectral_benchmark"
LENGTHS = tuple(2**k for k in range(6, 17))
# A dense 16,384 x 16,384 matrix takes 1 GiB.
LONGEST_DENSE = 4096
# In every batch, so that the cost of a call weighs alike at all lengths.
ELEMENTS = 2**18

LAYERS: dict[str, Callable[[], SpectralConv]] = {
    "circular": lambda: CircularConv(1, 1),
    "reflect": lambda: SymmetricConv(1, 1),
    "symmetric": lambda: SymmetricConv(1, 1, "symmetric"),
}


class Row(NamedTuple):
    """One measurement.

    Attributes:
        convolution: Boundary, or "dense" for torch.linalg.solve with the circulant matrix.
        direction: "forward" (log_det included) or "inverse".
        length: N.
        nanoseconds_per_element: Least of several repetitions, divided by N and the batch.
    """

    convolution: str
    direction: str
    length: int
    nanoseconds_per_element: float


@torch.no_grad()
def run(output: Path, lengths: tuple[int, ...] = LENGTHS) -> list[Row]:
    """Measure on this machine and write the CSV and the PNG into a folder.

    Args:
        output: The folder.
        lengths: Signal lengths N.

    Raises:
        ConfigError: If matplotlib is missing; the CSV is then written.
    """
    torch.manual_seed(0)
    rows = [row for length in lengths for row in _measure(length)]
    text = io.StringIO()
    csv.writer(text).writerows([Row._fields, *rows])
    write_atomically(output / f"{NAME}.csv", text.getvalue().encode())
    _plot(rows, output / f"{NAME}.png")
    return rows


def _measure(length: int) -> list[Row]:
    x = torch.randn(max(1, ELEMENTS // length), 1, length)
    rows = []
    for name, make in LAYERS.items():
        layer = make().eval()
        layer.coefficients.normal_(std=0.3)
        for direction in ("forward", "inverse"):
            seconds = _least_time(getattr(layer, direction), x)
            rows.append(_row(name, direction, x, seconds))
    if length <= LONGEST_DENSE:
        matrix = _circulant(length)
        seconds = _least_time(torch.linalg.solve, matrix, x[:, 0].mT)
        rows.append(_row("dense", "inverse", x, seconds))
    return rows


def _circulant(length: int) -> Tensor:
    """The matrix of a circular convolution, from its action on unit impulses."""
    layer = CircularConv(1, 1)
    layer.coefficients.normal_(std=0.3)
    return layer(torch.eye(length)[:, None])[0][:, 0].mT.contiguous()


def _row(name: str, direction: str, x: Tensor, seconds: float) -> Row:
    return Row(name, direction, x.shape[-1], round(1e9 * seconds / x.numel(), 3))


def _least_time(call: Callable[..., object], *inputs: Tensor, repetitions: int = 9) -> float:
    call(*inputs)
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call(*inputs)
        times.append(time.perf_counter() - start)
    return min(times)


def _plot(rows: list[Row], path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("the plot needs matplotlib: pip install matplotlib.") from error
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row.convolution for row in rows):
        inverse = [row for row in rows if (row.convolution, row.direction) == (name, "inverse")]
        lengths = [row.length for row in inverse]
        axes.loglog(lengths, [row.nanoseconds_per_element for row in inverse], "o-", label=name)
    axes.set(xlabel="signal length N", ylabel="inverse, ns per element")
    axes.legend()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150)
    write_atomically(path, data.getvalue())
