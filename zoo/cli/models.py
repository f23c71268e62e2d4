"""`flowzoo ls` and `flowzoo info`: which models there are."""

from typing import Annotated

import typer
from rich.table import Table

from zoo.architectures import config_to_json
from zoo.cli.common import Device, ModelArgument, OwnArgument, console
from zoo.documents import fits
from zoo.folder import content_hash
from zoo.sources import MODELS, list_models, load, parse
from zoo.sources.names import adopt as adopt_folder
from zoo.sources.source import Name


def ls(
    pattern: Annotated[str, typer.Argument(help='Such as "finc_*".')] = "*",
    pretrained: Annotated[bool, typer.Option(help="Only those with weights.")] = False,
) -> None:
    """List the models."""
    table = Table("model", "architecture", "data set", "pretrained", "bits/dim (test)")
    for name in list_models(pattern, pretrained=pretrained):
        model = MODELS[name]
        evaluation = model.folder.evaluation if model.sha256 else None
        weights = "yes" if model.sha256 else "-"
        measured = fits(evaluation, {"bits_per_dim": float})
        score = f"{evaluation['bits_per_dim']:.3f}" if evaluation and measured else "-"
        table.add_row(name, model.architecture, model.dataset, weights, score)
    console.print(table)


def info(name: ModelArgument, device: Device = "auto") -> None:
    """Show a model's configuration, size, evaluation and stability certificate."""
    source = parse(name).pin()
    untrained = isinstance(source, Name) and source.model.sha256 is None
    flow = load(name, pretrained=not untrained, device=device)
    console.print_json(data=config_to_json(flow.config))
    console.print(f"parameters: {sum(p.numel() for p in flow.parameters()):,}")
    if untrained:
        console.print("weights: none published; random ones have no certificate")
        return
    console.print(f"weights sha256: {content_hash(flow.state_dict())}")
    folder = source.folder()
    if parent := folder.config.get("parent"):
        console.print_json(data={"fine-tuned from": parent})
    if evaluation := folder.evaluation:
        console.print_json(data=evaluation)
    print(flow.certify().table())


def adopt(name: OwnArgument) -> None:
    """Make the weights in model_cards/NAME of the clone the published ones of that name."""
    model = adopt_folder(parse(name).own_folder())
    console.print(f"{model.name} is {model.preset} with weights {model.sha256}", soft_wrap=True)
