"""The main job end to end, from embedded weights: encode, exact decode, samples, pictures."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from zoo.cards.gallery import PICTURES, Grid, gallery
from zoo.cli.outputs import check_outputs
from zoo.data.catalogue import FOLDER, PHOTOS
from zoo.devices import find_device, synchronize
from zoo.flow import Flow
from zoo.folder import Golden
from zoo.latents.sample_directions import sample_directions
from zoo.pictures import grid, write_grid
from zoo.sources import parse

Result = TypeVar("Result")

WHOLE, EDIT = "whole.png", "edit.png"
# Images that are edited, steps of each row, its ends, and samples whose attributes are measured.
EDITED, STEPS, FARTHEST, DRAWN = 3, 9, 12.0, 128


def demo(name: str, folder: Path, console: Console, device: str, overwrite: bool) -> int:
    """Show a pretrained model at work and write its pictures; return the number of failures."""
    check_outputs((folder / file for file in (*PICTURES, WHOLE, EDIT)), overwrite=overwrite)
    source = parse(name)
    flow, load = _timed(lambda: source.load().to(find_device(device)))
    golden = source.folder().golden
    rows, lost = _round_trip(flow, golden)
    grids, missing = gallery(flow, golden)
    if source.folder().dataset in (FOLDER, PHOTOS) and golden.natural:
        returned, size, same = _whole_picture(flow, golden)
        grids[WHOLE] = Grid(returned[None], 1)
        grids[EDIT] = _edits(flow, golden)
        rows["a whole picture, encoded and decoded"] = size
        lost += not same
    rows["load"] = f"{1000 * load:.0f} ms"
    parameters = sum(parameter.numel() for parameter in flow.parameters())
    console.print(_table(f"{name}: {parameters:,} parameters", rows))
    for file, (images, columns) in grids.items():
        write_grid(images, folder / file, columns)
    console.print(f"{', '.join(grids)} written to {folder}/")
    for file, reason in missing.items():
        console.print(f"no {file}: {reason}", soft_wrap=True)
    return lost


def _timed(call: Callable[[], Result]) -> tuple[Result, float]:
    """The result of a call, and its seconds."""
    start = time.perf_counter()
    result = call()
    synchronize()
    return result, time.perf_counter() - start


def _round_trip(flow: Flow, golden: Golden) -> tuple[dict[str, str], int]:
    """Rows on the golden images, and the number of images that did not come back."""
    images, natural = golden.images.to(flow.device), golden.natural
    flow.decode(flow.encode(images))  # what depends on weights only is computed once
    z, encode = _timed(lambda: flow.encode(images))
    back, decode = _timed(lambda: flow.decode(z))
    count, same = len(images), int((back == images).flatten(1).all(1).sum())
    generator = torch.Generator().manual_seed(0)
    bits = flow.bits_per_dim(images[: natural or count], generator=generator).mean()
    return {
        "images encoded and decoded": f"{count} ({natural} natural)",
        "that came back bit for bit": f"{same} of {count}",
        "bits/dim of natural ones" if natural else "bits/dim": f"{bits:.3f}",
        "encode, verified": f"{1000 * encode / count:.1f} ms/image",
        "decode": f"{1000 * decode / count:.1f} ms/image",
    }, count - same


def _whole_picture(flow: Flow, golden: Golden) -> tuple[Tensor, str, bool]:
    """One picture of all natural images: how it came back, its size, and whether it is the same."""
    whole = grid(golden.images[: golden.natural], columns=4, scale=1, gap=0)
    (returned,) = flow.decode(flow.encode([whole]))
    return returned, "{} x {}".format(*whole.shape[1:]), torch.equal(returned.cpu(), whole)


def _edits(flow: Flow, golden: Golden) -> Grid:
    """EDITED natural images along each attribute of samples, from less of it to more."""
    found = sample_directions(flow, samples=DRAWN)
    images = golden.images[: min(EDITED, golden.natural), None].to(flow.device)
    alphas = torch.linspace(-FARTHEST, FARTHEST, STEPS)
    rows = [
        flow.edit(image.expand(STEPS, -1, -1, -1), found[name], alphas).cpu()
        for image in images
        for name in found
    ]
    return Grid(torch.cat(rows), STEPS)


def _table(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title)
    table.add_column("what")
    table.add_column("measured", justify="right")
    for row in rows.items():
        table.add_row(*row)
    return table
