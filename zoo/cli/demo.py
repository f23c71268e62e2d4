"""The main job end to end, from embedded weights: encode, exact decode, samples, pictures."""

import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from zoo.cards.gallery import Grid, gallery
from zoo.cli.outputs import check_outputs
from zoo.data.catalogue import FOLDER, PHOTOS
from zoo.devices import find_device, synchronize
from zoo.pictures import grid, write_grid
from zoo.sources import parse


def demo(name: str, folder: Path, console: Console, device: str) -> int:
    """Show a pretrained model at work and write its pictures; return the number of failures."""
    start = time.perf_counter()
    source = parse(name)
    flow = source.load().to(find_device(device))
    loaded = time.perf_counter()
    golden = source.folder().golden
    images = golden.images.to(flow.device)
    flow.decode(flow.encode(images))  # what depends on weights only is computed once
    warm = time.perf_counter()
    z = flow.encode(images)
    encoded = time.perf_counter()
    back = flow.decode(z)
    synchronize()
    decoded = time.perf_counter()

    count = len(images)
    same = (back == images).flatten(1).all(1)
    natural = images[: golden.natural or count]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        bits = flow.bits_per_dim(natural, generator=generator).mean()

    table = Table(title=f"{name}: {sum(p.numel() for p in flow.parameters()):,} parameters")
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_row("images encoded and decoded", f"{count} ({golden.natural} natural)")
    table.add_row("that came back bit for bit", f"{int(same.sum())} of {count}")
    table.add_row("bits/dim of natural ones" if golden.natural else "bits/dim", f"{bits:.3f}")
    wholes: dict[str, Grid] = {}
    if source.folder().dataset in (FOLDER, PHOTOS) and golden.natural:
        whole = grid(natural, columns=4, scale=1, gap=0)
        (returned,) = flow.decode(flow.encode([whole]))
        wholes["whole.png"] = Grid(returned[None], 1)
        same = torch.cat([same, same.new_tensor([torch.equal(returned.cpu(), whole)])])
        table.add_row("a whole picture, encoded and decoded", "{} x {}".format(*whole.shape[1:]))
    table.add_row("load", f"{1000 * (loaded - start):.0f} ms")
    table.add_row("encode, verified", f"{1000 * (encoded - warm) / count:.1f} ms/image")
    table.add_row("decode", f"{1000 * (decoded - encoded) / count:.1f} ms/image")
    console.print(table)

    grids, missing = gallery(flow, golden)
    grids.update(wholes)
    check_outputs(folder / file for file in grids)
    for file, (images, columns) in grids.items():
        write_grid(images, folder / file, columns)
    console.print(f"{', '.join(grids)} written to {folder}/")
    for file, reason in missing.items():
        console.print(f"no {file}: {reason}", soft_wrap=True)
    return int((~same).sum())
