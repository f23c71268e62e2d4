"""`flowzoo encode`, `encode-dataset` and `decode`: image files to exact latents and back."""

import itertools
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import track

from zoo.cli.common import (
    DEFAULT_MODEL,
    Batch,
    ModelArgument,
    ModelOption,
    Original,
    Overwrite,
    Pad,
    Resize,
    choose_fit,
    console,
    in_batches,
)
from zoo.cli.outputs import check_outputs
from zoo.errors import require
from zoo.folder import content_hash
from zoo.latents import LatentFile
from zoo.pictures import read_image, write_image
from zoo.sources import load, parse


def encode(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="File for the latents.")],
    model: ModelOption = DEFAULT_MODEL,
    resize: Resize = False,
    pad: Pad = False,
    original_size: Original = False,
    batch_size: Batch = 64,
    overwrite: Overwrite = False,
) -> None:
    """Encode image files into exact latents."""
    check_outputs([output], images, overwrite=overwrite)
    source = parse(model).pin()  # decode may run elsewhere, and later
    flow, fit = source.load(), choose_fit(resize, pad, original_size)
    read = [read_image(path, flow, fit) for path in track(images, "reading", console=console)]
    for path, (_, fitted) in zip(images, read, strict=True):
        console.print(f"{path}: {fitted.changes}", soft_wrap=True)
    pixels = [image for image, _ in read]
    latents = in_batches(
        [tuple(image.shape) for image in pixels],
        batch_size,
        "encoding",
        lambda chosen: flow.encode(torch.stack([pixels[i] for i in chosen])),
    )
    sha256 = content_hash(flow.state_dict())
    LatentFile(str(source), sha256, [fitted for _, fitted in read], latents).save(output)
    console.print(
        f"{len(read)} images encoded, each verified to come back exactly as changed above: "
        f"{output}",
        soft_wrap=True,
    )


def encode_dataset(
    name: ModelArgument,
    data: Annotated[str, typer.Option(help="Name of the data set.")],
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets' raw files.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for shards and index.")],
    split: Annotated[str, typer.Option(help="test, train, or val if there is one.")] = "test",
    shard_size: Annotated[int, typer.Option(help="Images per shard.", min=1)] = 1000,
    batch_size: Batch = 250,
    strategy: Annotated[str, typer.Option(help="Lightning's, such as ddp.")] = "auto",
    accelerator: Annotated[str, typer.Option(help="Lightning's: cpu, gpu, ...")] = "auto",
    devices: Annotated[str, typer.Option(help="Lightning's: how many processes a node.")] = "auto",
    num_nodes: Annotated[int, typer.Option(help="Nodes.", min=1)] = 1,
) -> None:
    """Encode a whole data set into shards of exact latents; a killed run is taken up again."""
    if split not in ("train", "val", "test"):
        raise typer.BadParameter(f"--split is train, val or test; got {split}.")
    index = require("zoo.latents.encoding", "train").encode_dataset(
        name,
        data,
        data_dir,
        output,
        split=split,
        shard_size=shard_size,
        batch_size=batch_size,
        strategy=strategy,
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
    )
    if index is not None:
        console.print(
            f"{index['images']:,} images in {len(index['shards'])} shards, each verified to come "
            f"back exactly, {index['float64']:,} of them by float64, and of these "
            f"{index['kept']:,} by pixels kept in the latents: {output}/",
            soft_wrap=True,
        )


def decode(
    latents: Annotated[Path, typer.Argument(help="File of `flowzoo encode`.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for the PNG files.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Default: the one that encoded.")
    ] = None,
    batch_size: Batch = 64,
    overwrite: Overwrite = False,
) -> None:
    """Decode latents into the images that were encoded, as PNG files."""
    file = LatentFile.load(latents)
    flow = load(model or file.model)
    file.check_model(content_hash(flow.state_dict()))
    # Only the last part of a name: the file may come from anyone.
    names = _distinct([Path(image.name).name for image in file.images])
    paths = [output / f"{name}.png" for name in names]
    check_outputs(paths, [latents], overwrite=overwrite)
    keys = [(image.size, z.dtype) for image, z in zip(file.images, file.latents, strict=True)]
    decoded = in_batches(
        keys,
        batch_size,
        "decoding",
        lambda chosen: flow.decode(
            torch.stack([file.latents[i] for i in chosen]), file.images[chosen[0]].size
        ),
    )
    for path, image, fitted in zip(paths, decoded, file.images, strict=True):
        write_image(fitted.restore(image), path)
    console.print(f"{len(paths)} images decoded into {output}/")


def _distinct(names: list[str]) -> list[str]:
    """Number those that occur more than once."""
    distinct: list[str] = []
    for name in names:
        candidates = (f"{name}_{i}" for i in itertools.count(1))
        distinct.append(next(c for c in itertools.chain([name], candidates) if c not in distinct))
    return distinct
