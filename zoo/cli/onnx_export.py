"""`flowzoo export-onnx`."""

from pathlib import Path
from typing import Annotated

import typer
from torch import Tensor

from zoo.cli.common import ModelArgument, Overwrite, Sides, read_sides
from zoo.cli.outputs import check_outputs
from zoo.export.write import export, paths
from zoo.folder.model_folder import GOLDEN
from zoo.sources import parse
from zoo.sources.source import Name, Source


def export_onnx(
    name: ModelArgument,
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")],
    what: Annotated[
        str, typer.Option(help="both (encode and decode), encode, decode, forward or inverse.")
    ] = "both",
    size: Sides = None,
    any_size: Annotated[
        bool, typer.Option("--any-size", help="All sizes up to twice that of training.")
    ] = False,
    batch: Annotated[
        int | None, typer.Option(help="Number of images; default: any.", min=1)
    ] = None,
    allow_inexact: Annotated[
        bool, typer.Option("--allow-inexact", help="Write files that lose images, and say so.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Write a model as ONNX files, once images came back through them (extra `onnx`)."""
    if size and any_size:
        raise typer.BadParameter("choose one of --size and --any-size.")
    check_outputs(paths(output, "onnx", what), overwrite=overwrite)  # type: ignore[arg-type]
    source = parse(name).pin()
    written = export(
        source.load(),
        output,
        what=what,  # type: ignore[arg-type]
        size="dynamic" if any_size else read_sides(size),
        batch=batch or "dynamic",
        images=None if size else _golden(source),
        allow_inexact=allow_inexact,
    )
    for path in written:
        print(f"{path} written, {path.stat().st_size / 1e6:.1f} MB")


def _golden(source: Source) -> Tensor | None:
    """Golden images of a folder or a repository that has some; those of the zoo are known."""
    folder = source.folder()
    has = not isinstance(source, Name) and GOLDEN in folder.present()
    return folder.golden.images if has else None
