"""Figures of the benchmarks."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import images as images_benchmark
from benchmarks import inverse as inverse_benchmark
from benchmarks import spectral as spectral_benchmark
from benchmarks import training as training_benchmark

mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})

# The curves shown; the best tiles are what "auto" is about.
CURVES = ("forward", "auto", "row_scan", "wavefront", "fourier", "dense")

LABELS = {"side": "map size", "kernel": "kernel size"}


def inverse_figure(rows: Sequence[inverse_benchmark.Row], path: Path) -> None:
    """Draw the ratios of the papers' layers, and the times over map size and kernel size.

    Args:
        rows: Results of `benchmarks.inverse.measure`.
        path: Path of the PNG file.
    """
    figure = Figure(figsize=(13, 7), layout="constrained")
    axes = figure.subplots(2, 3, width_ratios=(1.4, 1, 1))
    for line, (unit, name) in enumerate((("PaddedConv2d", "full"), ("FInCUnit", "FInC unit"))):
        own = [row for row in rows if row.case.unit == unit]
        _ratios(axes[line][0], own, name)
        for axis, curve, label in (
            (axes[line][1], "side", "map size"),
            (axes[line][2], "kernel", "k"),
        ):
            _curves(axis, [row for row in own if row.case.images == curve], curve)
            axis.set(xlabel=label, ylabel="ms, batch 16", title=f"{name}, time over {label}")
    figure.savefig(path, dpi=120)


def _ratios(axis: Axes, rows: Sequence[inverse_benchmark.Row], name: str) -> None:
    chosen = [
        row
        for row in rows
        if row.method == "auto" and row.case.batch == 100 and "x" in row.case.images
    ]
    kernels = sorted({row.case.kernel for row in chosen})
    labels = list(dict.fromkeys(f"C{row.case.channels}\n{row.case.side}²" for row in chosen))
    for shift, kernel in enumerate(kernels):
        own = [row for row in chosen if row.case.kernel == kernel]
        places = [labels.index(f"C{row.case.channels}\n{row.case.side}²") for row in own]
        width = 0.8 / len(kernels)
        axis.bar(
            [place + shift * width for place in places],
            [row.ratio for row in own],
            width,
            label=f"k = {kernel}",
        )
    axis.axhline(1, color="black", linewidth=0.8)
    axis.set_xticks(range(len(labels)), labels)
    axis.set(ylabel="inverse / forward", title=f"{name}, batch 100")
    axis.legend(frameon=False)


def _curves(axis: Axes, rows: Sequence[inverse_benchmark.Row], key: str) -> None:
    for method in CURVES:
        own = [row for row in rows if row.method == ("auto" if method == "forward" else method)]
        times = [row.forward_ms if method == "forward" else row.inverse_ms for row in own]
        style = "k--" if method == "forward" else "-o"
        axis.plot([getattr(row.case, key) for row in own], times, style, label=method, markersize=3)
    axis.set_yscale("log")
    if key == "side":
        axis.set_xscale("log", base=2)
    axis.legend(frameon=False, fontsize=7)


def spectral_figure(rows: Sequence[spectral_benchmark.Row], path: Path) -> None:
    """Draw the time of inverses per element over the length of the signal.

    Args:
        rows: Results of `benchmarks.spectral.measure`.
        path: Path of the PNG file.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for name in dict.fromkeys(row.convolution for row in rows):
        inverse = [row for row in rows if (row.convolution, row.direction) == (name, "inverse")]
        lengths = [row.length for row in inverse]
        axis.loglog(lengths, [row.nanoseconds_per_element for row in inverse], "-o", label=name)
    axis.set(xlabel="signal length N", ylabel="inverse, ns per element")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=120)


def training_figure(rows: Sequence[training_benchmark.Row], path: Path) -> None:
    """Draw the speed of training, relative to normflows, and its memory.

    Args:
        rows: Results of `benchmarks.training.measure`.
        path: Path of the PNG file.
    """
    sizes = list(dict.fromkeys(row.preset for row in rows))
    figure = Figure(figsize=(11, 4 * len(sizes)), layout="constrained")
    axes = figure.subplots(len(sizes), 2, squeeze=False, sharey="row")
    for (left, right), size in zip(axes, sizes, strict=True):
        own = [row for row in rows if row.preset == size][::-1]
        labels = [f"{row.flow}, {row.lever}" if row.lever else row.flow for row in own]
        left.barh(labels, [row.to_normflows for row in own])
        left.axvline(1, color="black", linewidth=0.8)
        left.set(xlabel="images a second / normflows", title=size)
        right.barh(labels, [row.mebibytes for row in own], color="tab:orange")
        right.set(xlabel="MiB that training adds")
    figure.savefig(path, dpi=120)


def images_figure(rows: Sequence[images_benchmark.Row], path: Path) -> None:
    """Draw time and memory of whole photographs over their number of pixels.

    Args:
        rows: Results of `benchmarks.images.measure`.
        path: Path of the PNG file.
    """
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axis, value in zip(figure.subplots(1, 2), ("seconds", "gibibytes"), strict=True):
        for task in dict.fromkeys(row.task for row in rows):
            own = [row for row in rows if row.task == task]
            numbers = [getattr(row, value) for row in own]
            axis.loglog([row.megapixels for row in own], numbers, "-o", label=task)
        axis.set(xlabel="megapixels", ylabel=value)
        axis.legend(frameon=False)
    figure.savefig(path, dpi=120)
