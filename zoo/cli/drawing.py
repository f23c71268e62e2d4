"""`flowzoo sample`, `interpolate` and `demo`: pictures that a flow makes."""

from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.progress import track

from zoo.cli import common
from zoo.cli.common import choose_fit, console, read_sides, read_temperature
from zoo.cli.outputs import check_outputs
from zoo.errors import FlowzooError, counted
from zoo.pictures import read_image, write_grid
from zoo.sources import load


def sample(
    name: common.ModelArgument,
    output: Annotated[Path, typer.Option("--out", "-o", help="Picture of the grid.")] = Path(
        "samples.png"
    ),
    count: Annotated[int, typer.Option("-n", "--count", help="Number of images.", min=1)] = 64,
    temperature: Annotated[
        str, typer.Option(help="Standard deviation of latents; or that of each level: 0.6,0.8.")
    ] = "0.8",
    label: Annotated[
        int | None, typer.Option(help="Class, for a flow with classes; default: any.", min=0)
    ] = None,
    size: common.Sides = None,
    seed: Annotated[int, typer.Option(help="Seed of the latents.", min=0, max=2**63 - 1)] = 0,
    columns: Annotated[int, typer.Option(help="Images in a row.", min=1)] = 8,
    batch_size: common.Batch = 64,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Draw images and write them as one grid."""
    check_outputs([output], overwrite=overwrite)
    sides, heats = read_sides(size), read_temperature(temperature)
    generator = torch.Generator().manual_seed(seed)
    flow = load(name, device=device)
    if len(heats) not in (1, levels := len(flow.blocks)):
        raise typer.BadParameter(
            f"--temperature has {len(heats)} numbers; this flow has {levels} levels."
        )
    options: dict[str, Any] = {"size": sides, "generator": generator, "label": label}
    options["temperature"] = torch.tensor([heats]).expand(1, levels)
    batches = [min(batch_size, count - start) for start in range(0, count, batch_size)]
    images = [flow.sample(n, **options) for n in track(batches, "sampling", console=console)]
    write_grid(torch.cat(images).cpu(), output, columns=min(columns, count))
    console.print(f"{counted(count, 'sample')} at temperature {temperature}: {output}")


def interpolate(
    a: Annotated[Path, typer.Argument(metavar="A", help="Image file at one end.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Image file at the other end.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Picture of the row.")] = Path(
        "interpolation.png"
    ),
    model: common.ModelOption = common.DEFAULT_MODEL,
    steps: Annotated[int, typer.Option(help="Images, both ends included.", min=2)] = 8,
    resize: common.Resize = False,
    crop: common.Crop = False,
    pad: common.Pad = False,
    original_size: common.Original = False,
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Interpolate between two image files in latent space."""
    check_outputs([output], [a, b], overwrite=overwrite)
    flow, fit = load(model, device=device), choose_fit(resize, crop, pad, original_size)
    ends = []
    for path in (a, b):
        image, fitted = read_image(path, flow, fit)
        console.print(f"{path}: {fitted.changes}", soft_wrap=True)
        ends.append(image[None].to(flow.device))
    if ends[0].shape != ends[1].shape:
        raise typer.BadParameter(
            f"{a} and {b} are of different sizes. --crop or --resize gives them one."
        )
    write_grid(flow.interpolate(ends[0], ends[1], steps)[0].cpu(), output, columns=steps)
    console.print(f"{steps} images from {a} to {b}: {output}")


def demo(
    name: common.ModelArgument = common.DEFAULT_MODEL,
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for pictures.")] = Path(
        "demo"
    ),
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Show a pretrained model at work, with no data and no network."""
    from zoo.cli.demo import demo as run

    if failures := run(name, output, console, device, overwrite):
        raise FlowzooError(f"{failures} images did not come back.")
