"""Picture files, told by their names, and how they lie beside one another."""

import mimetypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from zoo.errors import ImageError, counted

# Kinds that Pillow knows by name and that are no pictures of pixels, or that it cannot read itself.
OTHERS = {"MPEG", "PDF", "EPS", "WMF", "HDF5", "GRIB", "BUFR"}


class Listing(NamedTuple):
    """Files below a folder, each list in the order of the paths.

    Attributes:
        pictures: Files that are named as pictures.
        skipped: Others, such as notes, films, drawings and pipes.
    """

    pictures: list[Path]
    skipped: list[Path]


def list_pictures(folder: Path) -> Listing:
    """List all files below a folder but hidden ones; a folder behind two links is read once."""
    visible, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        visible += [Path(place, name) for name in files if not name.startswith(".")]
    visible.sort()
    for path in visible:
        check_utf8(path)
    pictures = [path for path in visible if is_picture(path) and path.is_file()]
    return Listing(pictures, sorted(set(visible) - set(pictures)))


def check_utf8(path: Path) -> None:
    """Raise ImageError if a name is no text: it could be neither shown nor kept."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ImageError(f"the name of {str(path)!r} is not in UTF-8. Rename it.") from error


def is_picture(path: Path) -> bool:
    """Whether a file is named as a picture; one of a kind that Pillow lacks counts, too."""
    kind = mimetypes.guess_type(path.name)[0] or ""
    drawing = path.suffix.lower() in (".svg", ".svgz")
    return path.suffix.lower() in _endings() or (kind.startswith("image/") and not drawing)


@cache
def _endings() -> set[str]:
    known = Image.registered_extensions().items()  # which loads all of Pillow's plugins
    return {ending for ending, kind in known if kind in Image.OPEN and kind not in OTHERS}


def endings(paths: list[Path]) -> str:
    """The endings of paths and how many have each, such as "3 .txt, 1 without"."""
    found = [path.suffix.lower() or "without ending" for path in paths]
    counts = {ending: found.count(ending) for ending in sorted(set(found))}
    return ", ".join(f"{count} {ending}" for ending, count in counts.items())


def say_skipped(files: list[Path]) -> str:
    """A sentence on files that are no pictures, by how many and by their endings."""
    return f"{counted(len(files), 'file')} skipped, not named as images: {endings(files)}."


def expand(paths: Sequence[Path]) -> tuple[dict[Path, str], list[Path]]:
    """Find the picture files that are meant by files and folders.

    Args:
        paths: Files, taken whatever their names, and folders of pictures.

    Returns:
        Each file with its path, without ending, below the innermost folder of all; and what is
        skipped in the folders.

    Raises:
        ImageError: If there is nothing.
    """
    for path in paths:
        check_utf8(path)
    listings = [list_pictures(path) if path.is_dir() else Listing([path], []) for path in paths]
    files = [file for listing in listings for file in listing.pictures]
    if not files:
        raise ImageError(
            f"no files named as images, such as .png, in {', '.join(map(str, paths))}."
        )
    roots = {os.path.abspath(path if path.is_dir() else path.parent) for path in paths}
    top = os.path.commonpath(roots)
    names = [Path(os.path.relpath(os.path.abspath(file), top)).with_suffix("") for file in files]
    skipped = [file for listing in listings for file in listing.skipped]
    return {file: name.as_posix() for file, name in zip(files, names, strict=True)}, skipped
