"""`flowzoo app`: the page in the browser."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.common import DEFAULT_MODEL, MODEL_HELP, Device
from zoo.errors import require
from zoo.latents import Directions
from zoo.sources import list_models


def open_page(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help=f"{MODEL_HELP} Once for each; default: all of the zoo."),
    ] = None,
    directions: Annotated[
        Path | None, typer.Option(help="File of `flowzoo directions`, for its flow alone.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Default: the first free from 7860 on.", min=1, max=65535)
    ] = None,
    browser: Annotated[bool, typer.Option(help="Whether to open a browser here.")] = True,
    device: Device = "auto",
) -> None:
    """Open a page in the browser: exact latents, edits, mixes, samples, scores (extra `app`)."""
    page = require("zoo.app", "app")
    found = directions and Directions.load(directions)
    models = model or ([found.model] if found and found.model else shown_by_default())
    if found and len(models) > 1:
        raise typer.BadParameter("--directions are of one flow: name it once with --model.")
    page.serve(
        models, host=host, port=port, browser=browser, device=device, directions=found or None
    )


def shown_by_default() -> list[str]:
    """All flows of the zoo, the default first."""
    return sorted(list_models(pretrained=True), key=lambda name: name != DEFAULT_MODEL)
