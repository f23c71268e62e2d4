"""Files that visitors send: bounded, read once, and removed at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from zoo.errors import ArgumentError, FlowzooError, ImageError
from zoo.flow import Flow
from zoo.pictures import Fit, Fitted, read_image

MOST_BYTES = 4 * 2**20
# The most pixels of all frames of a file, and of a picture that keeps its size: seconds of work.
MOST_PIXELS, MOST_KEPT = 2**24, 2**16


@contextmanager
def taken(upload: str | None) -> Iterator[Path]:
    """Give the path of an upload, and remove the file in the end; errors name it without folder.

    Raises:
        ArgumentError: If there is none. Equal files share a path: another visitor's may be done.
    """
    path = Path(upload or "")
    if not path.is_file():
        raise ArgumentError("no file has come. Drop one into its field, once more if need be.")
    try:
        yield path
    except FlowzooError as error:
        raise type(error)(str(error).replace(f"{path.parent}/", "")) from error
    finally:
        path.unlink(missing_ok=True)


def read_upload(upload: str | None, flow: Flow, fit: Fit = "resize") -> tuple[Tensor, Fitted]:
    """Read an uploaded picture as `read_image`, but (1, C, H, W) where the flow is; remove it.

    Raises:
        ImageError: If it is none, or too large.
    """
    with taken(upload) as path:
        _check_area(path, MOST_PIXELS)
        if fit == "pad":
            _check_area(path, MOST_KEPT)
        image, fitted = read_image(path, flow, fit)
    return image[None].to(flow.device), fitted


def _check_area(path: Path, most: int) -> None:
    """Raise ImageError if a picture has too many pixels, by its header; others are let through."""
    try:
        with Image.open(path) as picture:
            pixels = picture.width * picture.height * getattr(picture, "n_frames", 1)
    except Exception:  # no picture, which its reader says better
        return
    if pixels > most:
        raise ImageError(
            f"{path} has {pixels:,} pixels; this page takes {most:,}. Make it smaller"
            + " or let it be resized." * (most == MOST_KEPT)
            + "." * (most == MOST_PIXELS)
        )


def generator_of(seed: float | None) -> torch.Generator:
    """The generator of a seed that a visitor typed.

    Raises:
        ArgumentError: If it is none.
    """
    if seed is None or not 0 <= seed < 2**53:
        raise ArgumentError("a seed is a whole number from 0 on. Type one.")
    return torch.Generator().manual_seed(int(seed))
