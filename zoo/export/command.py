"""`flowzoo export-onnx`."""

from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from zoo.export.write import export, paths
from zoo.golden import GOLDEN, Golden
from zoo.outputs import check_outputs
from zoo.registry import MODELS, folder_of, load, pin


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
    written = export(
        load(source),
        output,
        what=what,  # type: ignore[arg-type]
        size="dynamic" if any_size else size,
        batch=batch or "dynamic",
        images=None if size else _golden(source),
        allow_inexact=allow_inexact,
    )
    for path in written:
        print(f"{path} written, {path.stat().st_size / 1e6:.1f} MB")


def _golden(source: str) -> Tensor | None:
    """Golden images of a folder or a repository that has some; those of the zoo are known."""
    if source in MODELS or not (folder_of(source) / GOLDEN).is_file():
        return None
    return Golden.load(folder_of(source)).images
