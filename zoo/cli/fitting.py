"""`flowzoo train`, `train-tabular` and `export`: from a recipe to a model's folder."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.common import console
from zoo.errors import require


def train(context: typer.Context) -> None:
    """Train a flow: flowzoo train --config recipes/mnist/finc.yaml (--help for all options)."""
    require("zoo.training.lightning_cli", "train").train(context.args)


def train_tabular(context: typer.Context) -> None:
    """Train and test a flow of vectors: --config recipes/tabular/conf_patches.yaml."""
    require("zoo.tabular.tabular_cli", "train").train_tabular(context.args)


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="Checkpoint of training.")],
    name: Annotated[
        str | None, typer.Option(help="Name of the model; default: <architecture>_<dataset>.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Default: the recipe kept in the checkpoint.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Raw files, for golden images of the data set.")
    ] = None,
    dataset_title: Annotated[
        str | None, typer.Option(help="Name of the data set on the card, as you call it.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of pictures to show, if the data set's may not be.")
    ] = None,
    pictures_licence: Annotated[
        str | None, typer.Option(help="Whose they are, and under which licence; for the card.")
    ] = None,
    include_images: Annotated[
        bool, typer.Option("--include-images", help="Show test images: they are mine to pass on.")
    ] = False,
    output: Annotated[Path, typer.Option("--out", "-o", help="Parent folder.")] = Path("models"),
) -> None:
    """Write a checkpoint's flow as a model folder: weights, config, golden tensors, recipe."""
    folder = require("zoo.training.export_folder", "train").export(
        checkpoint,
        output,
        name=name,
        recipe=recipe,
        data_dir=data_dir,
        dataset_title=dataset_title,
        pictures=pictures,
        pictures_licence=pictures_licence,
        include_images=include_images,
    )
    measure = f"flowzoo evaluate local-dir:{folder.path} --data-dir {data_dir or 'DATA'}"
    console.print(f"{folder.path}/ written. Measure it: {measure}", soft_wrap=True)
