"""The figures of a card, drawn from a model's weights and evaluation; needs matplotlib."""

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from zoo.cards.figure_files import write_figure
from zoo.cards.gallery import gallery
from zoo.cards.markdown import times
from zoo.cards.subject import Subject
from zoo.data import facts_of
from zoo.flow import Flow
from zoo.flow.levels import Level, levels_of
from zoo.folder import ModelFolder
from zoo.folder.model_folder import FIGURES
from zoo.pictures import grid, to_picture

# Sides of images that need not be enlarged.
LARGE = 64
BITS = "bits/dim (fewer is likelier)"


def draw_figures(folder: ModelFolder) -> dict[str, str]:
    """Write every figure that can be drawn into a model's folder, the same for the same weights.

    Those that were there before are removed once these are written.

    Returns:
        Why the others cannot be drawn, by their names.

    Raises:
        ConfigError: If config.json lacks a name or a data set, or eval.json is damaged.
        WeightsError: If the weights, or those evaluated, are not the ones announced.
    """
    subject = Subject.read(folder)
    grids, missing = gallery(subject.flow, subject.golden)
    scale = 1 if max(subject.flow.config.size) >= LARGE else 2
    pictures = {name: to_picture(grid(*images, scale)) for name, images in grids.items()}
    pictures["architecture.png"] = _picture(architecture(subject.flow))
    if subject.evaluation is None:
        missing = {**missing, "histogram.png": "not evaluated yet; flowzoo evaluate"}
    else:
        histogram = shares(subject.evaluation["likelihood_histogram"], BITS)
        pictures["histogram.png"] = _picture(histogram)
    for name, picture in pictures.items():
        write_figure(subject, name, picture)
    for name in set(FIGURES) - set(pictures):
        (folder.path / name).unlink(missing_ok=True)
    return missing


def architecture(flow: Flow) -> Figure:
    """A row of boxes for each level: squeeze, the layers of a step, split, what leaves it."""
    levels = levels_of(flow)
    columns = 4 + max(len(level.step) for level in levels)
    figure = Figure(figsize=(1.6 * columns, 1.1 * len(levels)))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(len(levels) - 0.35, -0.4))
    axis.set_axis_off()
    for row, level in enumerate(levels):
        _draw_level(axis, row, level)
    return figure


def _draw_level(axis: Axes, row: int, level: Level) -> None:
    source = f"rest of level {row}" if row else "image"
    boxes = (f"Squeeze\nto {times(level.maps)}", *level.step, level.end)
    _draw_text(axis, 0, row, source)
    for column, label in enumerate(boxes, start=1):
        _draw_text(axis, column, row, label, boxstyle="round", facecolor="#dce8f4")
    _draw_text(axis, 1 + len(boxes), row, f"latents\n{times(level.latents)}")
    for column in range(1 + len(boxes)):
        arrow = {"arrowstyle": "->", "color": "#456"}
        axis.annotate("", (column + 0.58, row), (column + 0.42, row), arrowprops=arrow)
    left, right = 1.52, len(level.step) + 1.48
    sides = [row + 0.28, row + 0.36, row + 0.36, row + 0.28]
    axis.plot([left, left, right, right], sides, color="#456", linewidth=0.8)
    _draw_text(axis, (left + right) / 2, row + 0.49, f"{level.steps} steps")


def _draw_text(axis: Axes, x: float, y: float, text: str, **box: str) -> None:
    frame = {"edgecolor": "#456", **box} if box else None
    axis.text(x, y, text, ha="center", va="center", fontsize=8, bbox=frame)


def shares(histogram: dict[str, Any], score: str) -> Figure:
    """The share of each set's images over their scores."""
    figure = Figure(figsize=(6, 3), layout="constrained")
    axis = figure.subplots()
    for name, measured in histogram["sets"].items():
        heights = [count / measured["images"] for count in measured["counts"]]
        title = facts_of(name).title
        axis.stairs(heights, histogram["edges"], fill=True, alpha=0.6, label=title)
    axis.set(xlabel=score, ylabel="share of images", yscale="log")
    axis.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    return figure


def _picture(figure: Figure) -> Image.Image:
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return Image.open(data).convert("RGB").quantize(64)
