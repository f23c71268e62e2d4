"""`flowzoo directions`, `edit` and `score`: what latents are good for, as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

import torch
import typer
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from zoo.cli import common
from zoo.cli.common import choose_fit, console, in_batches
from zoo.cli.outputs import check_outputs
from zoo.devices import find_device
from zoo.documents import fits
from zoo.errors import ArgumentError
from zoo.flow import Flow
from zoo.flow.scores import Method
from zoo.latents import Directions, LatentSet
from zoo.latents import directions as find_directions
from zoo.latents import load as load_latents
from zoo.latents.attributes import ATTRIBUTES, measure
from zoo.pictures import Fit, expand, read_frames, write_grid
from zoo.sources import load, parse

# Steps of the pictures, in standard deviations of the latents along a direction.
STEPS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)

Images = Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders.")]


def directions(
    latents: Annotated[Path, typer.Argument(help="Folder of `flowzoo encode-dataset`.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="File; a picture beside it.")] = Path(
        "directions.safetensors"
    ),
    attribute: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(ATTRIBUTES)}; default: a direction for each label."),
    ] = None,
    method: Annotated[str, typer.Option(help="least_squares or paper.")] = "least_squares",
    ridge: Annotated[float, typer.Option(help="Ridge of least squares.", min=0)] = 1.0,
    batch_size: common.Batch = 250,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Find directions of classes or attributes among the latents of a data set."""
    if (picture := output.with_suffix(".png")) == output:
        raise typer.BadParameter(f"{output} would be the picture: name the directions otherwise.")
    check_outputs([output, picture], overwrite=overwrite)
    data = load_latents(latents)
    data.flow.to(find_device(device))
    of = _attributes(data, attribute, batch_size) if attribute else None
    found = find_directions(data, of, method=method, ridge=ridge)  # type: ignore[arg-type]
    found.save(output)
    table = Table("direction", "correlation", "mean", "std")
    for direction in map(found.__getitem__, found):
        numbers = (direction.correlation, direction.mean, direction.std)
        table.add_row(direction.name, *(f"{number:.2f}" for number in numbers))
    console.print(table)
    write_grid(_along(data, found), picture, columns=len(STEPS))
    console.print(
        f"{output} written. {picture} shows an image of the data set in each row, moved along a "
        f"direction by {STEPS[0]:g} to {STEPS[-1]:g} standard deviations.",
        soft_wrap=True,
    )


def _attributes(data: LatentSet, names: list[str], batch_size: int) -> dict[str, Tensor]:
    """Attributes of all images of a set, decoded from their latents."""
    measure(torch.zeros(1, 1, 4, 4, dtype=torch.uint8), names)  # known, before any is decoded
    starts = track(range(0, len(data), batch_size), "measuring", console=console)
    parts = [measure(data.decode(slice(start, start + batch_size)), names) for start in starts]
    return {name: torch.cat([part[name] for part in parts]) for name in names}


def _along(data: LatentSet, found: Directions) -> Tensor:
    """One image of the set for each direction, (K * S, C, H, W), moved by `STEPS`."""
    rows = []
    for k, direction in enumerate(map(found.__getitem__, found)):
        alphas = torch.tensor(STEPS) * direction.std
        image = data.decode([k % len(data)]).to(data.flow.device)
        rows.append(data.flow.edit(image.expand(len(STEPS), -1, -1, -1), direction, alphas))
    return torch.cat(rows)


def edit(
    images: Images,
    directions: Annotated[Path, typer.Option(help="File of `flowzoo directions`.")],
    name: Annotated[str, typer.Option(help="Class or attribute, as in that file.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Picture of the rows.")] = Path(
        "edited.png"
    ),
    alpha: Annotated[
        list[float] | None,
        typer.Option(help="Step in the latents, once for each column; default: from -3 to 3 std."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Default: the one of the directions.")
    ] = None,
    resize: common.Resize = False,
    crop: common.Crop = False,
    pad: common.Pad = False,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Move images along a direction of their latents: a row for each, a column for each step."""
    found = Directions.load(directions)
    direction, source = found[name], model or found.model
    if not source:
        raise ArgumentError(f"{directions} does not name its flow. Name it with --model.")
    flow = load(source, device=device)
    found.check_model(flow)
    read = _read(images, flow, choose_fit(resize, crop, pad, False))
    check_outputs([output], read, overwrite=overwrite)
    alphas = torch.tensor(alpha or [step * direction.std for step in STEPS])
    rows = [
        flow.edit(image.to(flow.device).expand(len(alphas), -1, -1, -1), direction, alphas).cpu()
        for image in track(read.values(), "editing", console=console)
    ]
    write_grid(torch.cat(rows), output, columns=len(alphas))
    steps = ", ".join(f"{step:.3g}" for step in alphas.tolist())
    console.print(f"{name} by {steps}: {output}", soft_wrap=True)


def score(
    images: Images,
    output: Annotated[Path, typer.Option("--out", "-o", help="Picture of the images.")] = Path(
        "scores.png"
    ),
    method: Annotated[str, typer.Option(help=f"{', '.join(get_args(Method))}.")] = "complexity",
    model: common.ModelOption = common.DEFAULT_MODEL,
    resize: common.Resize = False,
    crop: common.Crop = False,
    pad: common.Pad = False,
    original_size: common.Original = False,
    seed: Annotated[int, typer.Option(help="Seed of dequantization.", min=0, max=2**63 - 1)] = 0,
    batch_size: common.Batch = 64,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Score how unusual images are; the picture has them from the most usual on, with their maps.

    A map is light where the latents are less likely than elsewhere.
    """
    source = parse(model)
    flow = source.load().to(find_device(device))
    read = _read(images, flow, choose_fit(resize, crop, pad, original_size))
    check_outputs([output], read, overwrite=overwrite)
    pixels, generator = list(read.values()), torch.Generator().manual_seed(seed)
    options = {}
    if method == "typicality":
        measured = source.folder().evaluation
        if measured is None or not fits(measured, {"bits_per_dim": float}):
            raise ArgumentError(
                f"typicality needs the mean bits/dim of its data: flowzoo evaluate {model} first."
            )
        options = {"typical": measured["bits_per_dim"]}

    def run(batch: Tensor, _: None) -> Tensor:
        batch = batch.to(flow.device)
        return flow.score(batch, method, generator=generator, **options)  # type: ignore[arg-type]

    scores = torch.stack(in_batches(pixels, batch_size, "scoring", run)).tolist()
    order = sorted(range(len(pixels)), key=scores.__getitem__)
    for i in order:
        console.print(f"{scores[i]:8.3f}  {list(read)[i]}", soft_wrap=True)
    write_grid(_with_maps(flow, [pixels[i] for i in order]), output, columns=2)
    console.print(f"{method} in bits/dim, the most usual first: {output}", soft_wrap=True)


def _with_maps(flow: Flow, images: Sequence[Tensor]) -> Tensor:
    """Each image (C, H, W) and its map of unlikely latents, in one frame, (2 N, C, H', W')."""
    size = [max(image.shape[side] for image in images) for side in (1, 2)]
    cells = []
    for image in images:
        nats = -flow.likelihood_map(image[None].to(flow.device))[0].sum(0).cpu()
        light = (nats - nats.min()) / (nats.max() - nats.min()).clamp_min(1e-9)
        cells += [image, (255 * light).to(torch.uint8).expand_as(image)]
    right = [(0, size[1] - cell.shape[2], 0, size[0] - cell.shape[1]) for cell in cells]
    return torch.stack([F.pad(cell, by) for cell, by in zip(cells, right, strict=True)])


def _read(images: list[Path], flow: Flow, fit: Fit) -> dict[Path, Tensor]:
    """All images of files, uint8 (C, H, W), by the file and, of several in one, their number."""
    read = {}
    for path in expand(images)[0]:
        for i, (image, fitted) in enumerate(read_frames(path, flow, fit, path.stem)):
            read[Path(f"{path}#{i + 1}") if i else path] = image
            console.print(f"{path}: {fitted.changes}", soft_wrap=True)
    return read
