"""`flowzoo ls`, `info` and `adopt`: which models there are, and what is known of one."""

import math
from typing import Annotated

import typer
from torch import Tensor

from zoo.cli.about import facts, summary
from zoo.cli.common import Device, ModelArgument, OwnArgument, columns, console
from zoo.documents import fits
from zoo.exact.patterns import hard_images
from zoo.flow import Flow
from zoo.sources import MODELS, list_models, load, parse
from zoo.sources.names import Model
from zoo.sources.names import adopt as adopt_folder
from zoo.sources.source import Name

# Pixels of the images on which `info` measures the inverse, in float64 too.
PIXELS = 2**13


def ls(
    pattern: Annotated[str, typer.Argument(help='Such as "finc_*".')] = "*",
    pretrained: Annotated[bool, typer.Option(help="Only those with weights.")] = False,
) -> None:
    """List the models, those with weights first."""
    found = [MODELS[name] for name in list_models(pattern, pretrained=pretrained)]
    if not found:
        raise typer.BadParameter(f"no model matches {pattern!r}. flowzoo ls lists all.")
    found.sort(key=lambda model: model.sha256 is None)
    heads = ("model", "architecture", "data set", "weights", "bits/dim (test)")
    for line in columns([heads, *map(_row, found)]):
        print(line)


def _row(model: Model) -> tuple[str, ...]:
    evaluation = model.folder.evaluation if model.sha256 else None
    measured = fits(evaluation, {"bits_per_dim": float})
    score = f"{evaluation['bits_per_dim']:.3f}" if evaluation and measured else "-"
    version = f"V{model.version}" if model.sha256 else "-"
    return model.name, model.architecture, model.dataset, version, score


def info(
    name: ModelArgument,
    json: Annotated[bool, typer.Option("--json", help="All that is known, as JSON.")] = False,
    device: Device = "auto",
) -> None:
    """Show a model: its size, origin and licence, what was measured, how stable its inverse is."""
    source = parse(name).pin()
    untrained = isinstance(source, Name) and source.model.sha256 is None
    flow = load(str(source), pretrained=not untrained, device=device)
    certificate = None if untrained else flow.certify(_some_images(flow))
    if json:
        console.print_json(data=facts(source, flow, certificate))
        return
    for line in columns(summary(source, flow, certificate)):
        print(line)


def _some_images(flow: Flow) -> Tensor:
    """Hard images of several kinds, few enough for seconds."""
    images = hard_images(flow.config.channels, flow.config.size)
    count = max(2, PIXELS // math.prod(flow.config.size))
    return images[:: math.ceil(len(images) / count)]


def adopt(name: OwnArgument) -> None:
    """Make the weights in model_cards/NAME of the clone the published ones of that name."""
    model = adopt_folder(parse(name).own_folder())
    console.print(f"{model.name} is {model.preset} with weights {model.sha256}", soft_wrap=True)
