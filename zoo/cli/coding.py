"""`flowzoo encode`, `encode-dataset` and `decode`: image files to exact latents and back."""

import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.progress import track
from torch import Tensor

from zoo.cards.measured import measured_of
from zoo.cli import common
from zoo.cli.common import check_splits, choose_fit, console, in_batches
from zoo.cli.outputs import check_outputs
from zoo.devices import find_device
from zoo.documents import MOST_TENSORS
from zoo.errors import ArgumentError, ImageError, counted, require
from zoo.evaluation.outliers import bits_of_crops, most_bits
from zoo.flow import Flow
from zoo.folder import identity
from zoo.latents import LatentFile
from zoo.pictures import AS_IT_IS, Fitted, expand, read_frames, say_skipped, write_image
from zoo.sources import load, parse
from zoo.sources.source import Source

# Numbers of the images that are held at once.
MOST_NUMBERS = 2**27


def encode(
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders.")
    ],
    output: Annotated[Path, typer.Option("--out", "-o", help="File for the latents.")],
    model: common.ModelOption = common.DEFAULT_MODEL,
    resize: common.Resize = False,
    crop: common.Crop = False,
    pad: common.Pad = False,
    original_size: common.Original = False,
    batch_size: common.Batch = 64,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Encode image files into exact latents."""
    files, skipped = expand(images)
    check_outputs([output], files, overwrite=overwrite)
    if len(files) > MOST_TENSORS:
        raise ImageError(f"{len(files):,} images are too many for a file; use encode-dataset.")
    if skipped:
        console.print(say_skipped(skipped))
    source = parse(model).pin()  # decode may run elsewhere, and later
    flow, fit = source.load().to(find_device(device)), choose_fit(resize, crop, pad, original_size)
    farthest = _farthest(source)
    read = (
        Read(f"{path}{fitted.name.removeprefix(name)}", pixels, fitted)
        for path, name in track(files.items(), "images", total=len(files), console=console)
        for pixels, fitted in read_frames(path, flow, fit, name)
    )
    labels, fitted, latents = [], [], []
    for part in _parts(read):
        latents += in_batches(
            [each.pixels for each in part],
            batch_size,
            "encoding",
            lambda batch, _: flow.encode(batch.to(flow.device)),
        )
        fitted += [each.fitted for each in part]
        labels += [each.label for each in part]
        for each in part:
            console.print(f"{each.label}: {each.fitted.changes}", soft_wrap=True)
            _say_if_far(flow, each, farthest)
    LatentFile(str(source), identity(flow), fitted, latents).save(output)
    for label, image, name in zip(labels, fitted, _names(fitted), strict=True):
        if name != image.name:
            console.print(f"{label}: decodes to {name}.png", soft_wrap=True)
    changed = " as changed above" * any(each.changes != AS_IT_IS for each in fitted)
    number = counted(len(fitted), "image")
    console.print(
        f"{number} encoded, each verified to come back exactly{changed}: {output}", soft_wrap=True
    )


class Read(NamedTuple):
    """An image that was read: its words for people, uint8 (C, H, W), and what was done to it."""

    label: str
    pixels: Tensor
    fitted: Fitted


def _parts(read: Iterator[Read]) -> Iterator[list[Read]]:
    """Images in lists of about MOST_NUMBERS each: folders may be larger than memory."""
    part: list[Read] = []
    numbers = 0
    for each in read:
        part.append(each)
        numbers += each.pixels.numel()
        if numbers > MOST_NUMBERS:
            yield part
            part, numbers = [], 0
    if part:
        yield part


def _farthest(source: Source) -> float:
    """The most bits/dim of images of its data; infinite for a model without an evaluation."""
    measured = measured_of(source.folder())
    return math.inf if measured is None else most_bits(measured["likelihood_histogram"])


def _say_if_far(flow: Flow, image: Read, farthest: float) -> None:
    """Say so of an image that is far from the data of the flow."""
    if farthest < math.inf and (bits := bits_of_crops(flow, image.pixels)) > farthest:
        console.print(
            f"{image.label}: unlike the model's data, {bits:.2f} bits/dim where its test images "
            f"have at most {farthest:g}",
            soft_wrap=True,
        )


def encode_dataset(
    name: common.ModelArgument,
    data: Annotated[str, typer.Option(help="Name of the data set.")],
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets' raw files.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for shards and index.")],
    split: Annotated[
        str | None,
        typer.Option(help="train, val, test or all. Default: all of a folder, else test."),
    ] = None,
    splits: common.Splits = "folders",
    shard_size: Annotated[int, typer.Option(help="Images per shard.", min=1)] = 1000,
    batch_size: common.Batch = 250,
    strategy: Annotated[str, typer.Option(help="Lightning's, such as ddp.")] = "auto",
    accelerator: Annotated[str, typer.Option(help="Lightning's: cpu, gpu, ...")] = "auto",
    devices: Annotated[str, typer.Option(help="Lightning's: how many processes a node.")] = "auto",
    num_nodes: Annotated[int, typer.Option(help="Nodes.", min=1)] = 1,
) -> None:
    """Encode a whole data set into shards of exact latents; a killed run is taken up again."""
    if split not in (None, "train", "val", "test", "all"):
        raise typer.BadParameter(f"--split is train, val, test or all; got {split}.")
    check_splits(splits)
    index = require("zoo.latents.encoding", "train").encode_dataset(
        name,
        data,
        data_dir,
        output,
        split=split,
        splits=splits,
        shard_size=shard_size,
        batch_size=batch_size,
        strategy=strategy,
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
    )
    if index is not None:
        double = f"{index['float64']:,} of them by float64, and of these {index['kept']:,} by "
        how = f"{double}pixels kept in the latents" if index["float64"] else "all in float32"
        images, shards = counted(index["images"], "image"), counted(len(index["shards"]), "shard")
        console.print(
            f"{images} in {shards}, each verified to come back exactly, {how}; all shards read "
            f"back at {index['read_back']}: {output}/",
            soft_wrap=True,
        )


def decode(
    latents: Annotated[Path, typer.Argument(help="File of `flowzoo encode`.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for the PNG files.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Default: the one that encoded.")
    ] = None,
    batch_size: common.Batch = 64,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Decode latents into the images that were encoded, as PNG files."""
    if output.is_file():
        raise ArgumentError(f"{output} is a file. Name a folder for the PNG files with -o.")
    file = LatentFile.load(latents)
    flow = load(model or file.model, device=device)
    file.check_model(flow)
    paths = [output / f"{name}.png" for name in _names(file.images)]
    check_outputs(paths, [latents], overwrite=overwrite)
    decoded = in_batches(
        file.latents,
        batch_size,
        "decoding",
        lambda batch, size: flow.decode(batch.to(flow.device), size),
        [image.size for image in file.images],
    )
    for path, image, fitted in zip(paths, decoded, file.images, strict=True):
        write_image(fitted.restore(image), path)
    console.print(f"{counted(len(paths), 'image')} decoded into {output}/")


def _names(images: Sequence[Fitted]) -> list[str]:
    """Names of the decoded files, without their ending: those of the images, but all different."""
    return _distinct([_inside(image.name) for image in images])


def _inside(name: str) -> str:
    """A path that stays in its folder, whatever it was: a file of latents may come from anyone."""
    path = Path(name.replace("\0", ""))
    return "/".join(part for part in path.parts if part not in ("..", path.anchor)) or "image"


def _distinct(names: list[str]) -> list[str]:
    """Number those that occur more than once, or would on disks that do not tell a from A."""
    distinct: dict[str, str] = {}
    numbers: dict[str, Iterator[int]] = {}  # goes on for each name where it stopped
    for name in names:
        found, number = name, numbers.setdefault(name.casefold(), itertools.count(1))
        while found.casefold() in distinct:
            found = f"{name}_{next(number)}"
        distinct[found.casefold()] = found
    return list(distinct.values())
