"""Checks of outputs: never over an input, nor over a file that flowzoo did not write."""

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from zoo.cards.measured import check_measured
from zoo.documents import KEY, DocumentError, read_json, read_tensors
from zoo.errors import ArgumentError
from zoo.export.formats import PROGRAM
from zoo.pictures import SOFTWARE, WRITER

# An exported program's metadata is at the end of its file.
END = 2**16


def check_outputs(
    outputs: Iterable[Path], inputs: Iterable[Path] = (), *, overwrite: bool = False
) -> None:
    """Raise ArgumentError if one of the outputs would destroy a file of the user's.

    Args:
        outputs: Files that a command is about to write.
        inputs: Files that it reads.
        overwrite: Whether files that flowzoo did not write may be replaced; inputs never.
    """
    read = {path.resolve() for path in inputs}
    for output in outputs:
        if output.resolve() in read:
            raise ArgumentError(f"{output} is an input. Name another output with -o.")
        if output.is_dir():
            raise ArgumentError(f"{output} is a folder. Name a file with -o.")
        if output.is_file() and not overwrite and not is_ours(output):
            raise ArgumentError(
                f"{output} is there already, and flowzoo did not write it. Name another output "
                "with -o, or pass --overwrite to replace it."
            )


def is_ours(path: Path) -> bool:
    """Whether a file is a picture, latents, program or evaluation that flowzoo wrote."""
    try:
        with Image.open(path) as picture:
            return str(picture.info.get(SOFTWARE, "")).startswith(WRITER)
    except Exception:  # no picture; Pillow's plugins raise many kinds on damaged files
        pass
    try:
        return KEY in read_tensors(path)[1]
    except (OSError, DocumentError):
        return _is_evaluation(path) or f"{PROGRAM}sha256".encode() in _end(path)


def _is_evaluation(path: Path) -> bool:
    try:
        check_measured(read_json(path))
        return True
    except (OSError, DocumentError):
        return False


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - END))
        return file.read()
