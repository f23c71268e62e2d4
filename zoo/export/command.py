"""`flowzoo export-onnx`."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.export.guard import Size
from zoo.export.write import export, paths
from zoo.outputs import check_outputs
from zoo.registry import folder_of, load, pin


def export_onnx(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A name of `flowzoo ls`, hf-hub:OWNER/REPO@REVISION, or local-dir:PATH.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    what: Annotated[
        str, typer.Option(help="both (encode and decode), encode, decode, forward or inverse.")
    ] = "both",
    size: Annotated[
        tuple[int, int] | None, typer.Option(help="Height and width; default: as trained.")
    ] = None,
    any_size: Annotated[
        bool, typer.Option("--any-size", help="All sizes up to twice that of training.")
    ] = False,
    batch: Annotated[
        int | None, typer.Option(help="Number of images; default: any.", min=1)
    ] = None,
    allow_inexact: Annotated[
        bool, typer.Option("--allow-inexact", help="Write files that lose images, and say so.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that flowzoo did not write, too.")
    ] = False,
) -> None:
    """Write a model as ONNX files, once images came back through them (extra `onnx`)."""
    if size and any_size:
        raise typer.BadParameter("choose one of --size and --any-size.")
    check_outputs(paths(output, "onnx", what), overwrite=overwrite)  # type: ignore[arg-type]
    source = pin(name)
    flow, sides = load(source), size or ("dynamic" if any_size else None)
    written = export(
        flow,
        output,
        "onnx",
        what,
        size=sides,
        batch=batch or "dynamic",
        images=None,
        allow_inexact=allow_inexact,
    )
    for path in written:
        print(f"{path} written, {path.stat().st_size / 1e6:.1f} MB")
