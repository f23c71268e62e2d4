"""`flowzoo ls` and `flowzoo info`: which models there are."""

from typing import Annotated

import typer
from rich.table import Table

from zoo.architectures import config_to_json
from zoo.cli.common import ModelArgument, console
from zoo.folder.record import read_evaluation
from zoo.folder.weights import content_hash, read_config
from zoo.sources.names import MODELS, folder_of, list_models, load, pin


def ls(
    pattern: Annotated[str, typer.Argument(help='Such as "finc_*".')] = "*",
    pretrained: Annotated[bool, typer.Option(help="Only those with weights.")] = False,
) -> None:
    """List the models."""
    table = Table("model", "architecture", "data set", "pretrained", "bits/dim (test)")
    for name in list_models(pattern, pretrained=pretrained):
        model = MODELS[name]
        evaluation = read_evaluation(folder_of(name)) if model.sha256 else None
        weights = "yes" if model.sha256 else "-"
        score = f"{evaluation['bits_per_dim']:.3f}" if evaluation else "-"
        table.add_row(name, model.architecture, model.dataset, weights, score)
    console.print(table)


def info(name: ModelArgument) -> None:
    """Show a model's configuration, size, evaluation and stability certificate."""
    name = pin(name)
    pretrained = name not in MODELS or MODELS[name].sha256 is not None
    flow = load(name, pretrained=pretrained)
    console.print_json(data=config_to_json(flow.config))
    console.print(f"parameters: {sum(p.numel() for p in flow.parameters()):,}")
    if not pretrained:
        console.print("weights: none published; random ones have no certificate")
        return
    console.print(f"weights sha256: {content_hash(flow.state_dict())}")
    if parent := read_config(folder_of(name)).get("parent"):
        console.print_json(data={"fine-tuned from": parent})
    if evaluation := read_evaluation(folder_of(name)):
        console.print_json(data=evaluation)
    print(flow.certify().table())
