"""Parts that the commands share: options, the console, batches."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import track
from torch import Tensor

from zoo import data
from zoo.flow.mixed_sizes import equal_parts
from zoo.pictures import Fit

console = Console(markup=False, highlight=False)

DEFAULT_MODEL = "finc_photos"
# Numbers of the images of a batch.
NUMBERS = 2**24
OWN_HELP = "A name of `flowzoo ls`, or local-dir:PATH."
MODEL_HELP = "A name of `flowzoo ls`, hf-hub:OWNER/REPO@REVISION, or local-dir:PATH."

ModelOption = Annotated[str, typer.Option("--model", "-m", help=MODEL_HELP)]
OwnArgument = Annotated[str, typer.Argument(metavar="NAME", help=OWN_HELP)]
ModelArgument = Annotated[str, typer.Argument(metavar="NAME", help=MODEL_HELP)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that flowzoo did not write, too.")
]
Splits = Annotated[
    str, typer.Option(help="none: folders train, val and test of a folder are no splits.")
]
Device = Annotated[
    str, typer.Option(help="Such as cpu, cuda or cuda:1; auto is a GPU if there is one.")
]
Batch = Annotated[int, typer.Option(help="Images at a time.", min=1)]
Resize = Annotated[
    bool, typer.Option("--resize", help="Resize to the model's size, whatever the ratio of sides.")
]
Crop = Annotated[
    bool, typer.Option("--crop", help="Cut to the model's ratio of sides and resize, as folders'.")
]
Pad = Annotated[
    bool, typer.Option("--pad", help="Pad with black, which decode removes again (default).")
]
Original = Annotated[
    bool, typer.Option("--original-size", help="Keep the size; the model must accept it.")
]

Sides = Annotated[
    str | None, typer.Option(metavar="H,W", help="Height and width, such as 256,256.")
]


def read_sides(text: str | None) -> tuple[int, int] | None:
    """The value of --size: height and width, or one side of a square."""
    if text is None:
        return None
    sides = text.split(",")
    if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
        raise typer.BadParameter(f"--size is height and width, such as 256,256; got {text}.")
    return int(sides[0]), int(sides[-1])


def read_temperature(text: str) -> list[float]:
    """The value of --temperature: one number, or one for each level."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(0 <= number < math.inf for number in numbers):
        raise typer.BadParameter(
            "--temperature is 0 or more, one number or one for each level, finest first, such as "
            f"0.6,0.8; got {text}."
        )
    return numbers


def choose_fit(resize: bool, crop: bool, pad: bool, original_size: bool) -> Fit:
    """The one of four options that was passed; padding if none was, which keeps every pixel."""
    if resize + crop + pad + original_size > 1:
        raise typer.BadParameter("choose one of --pad, --crop, --resize and --original-size.")
    return "resize" if resize else "crop" if crop else "original" if original_size else "pad"


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines whose cells stand below each other; a narrow terminal cuts none."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def in_batches(
    tensors: Sequence[Tensor],
    batch_size: int,
    task: str,
    run: Callable[[Tensor, Any], Tensor],
    keys: Sequence[Any] | None = None,
) -> list[Tensor]:
    """Run on batches of tensors of equal shape, type and key; results in the order of the tensors.

    Args:
        tensors: Large ones go alone.
        batch_size: The most tensors of a batch.
        task: Name of the progress bar.
        run: Maps a batch and its key to as many results.
        keys: Of each tensor, such as the size to decode to; default: None.
    """
    keys = keys or [None] * len(tensors)
    kinds = [(each.shape, each.dtype, key) for each, key in zip(tensors, keys, strict=True)]
    parts = equal_parts(kinds, lambda kind: min(batch_size, NUMBERS // kind[0].numel()))
    results: dict[int, Tensor] = {}
    for part in track(parts, task, console=console):
        batch = torch.stack([tensors[i] for i in part])
        results.update(zip(part, run(batch, keys[part[0]]).cpu(), strict=True))
    return [results[i] for i in range(len(tensors))]


def check_splits(splits: str) -> data.Splits:
    """The value of --splits, one of two."""
    if splits not in ("folders", "none"):
        raise typer.BadParameter(f"--splits is folders or none; got {splits}.")
    return "none" if splits == "none" else "folders"
