"""Image files to the images that a flow takes, in one call."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from torch import Tensor

from zoo.errors import ArgumentError
from zoo.files import user_path
from zoo.flow import Flow
from zoo.pictures.image_files import Fit, read_frames
from zoo.pictures.listing import expand, say_skipped


def read_images(
    paths: str | Path | Sequence[str | Path], flow: Flow, fit: Fit | None = None
) -> list[Tensor]:
    """Read image files as uint8 (C, H, W) each, upright and in the flow's channels.

    Args:
        paths: Files and folders; of a folder all files that are named as images.
        flow: Says how many channels, and which sizes it takes.
        fit: None keeps every pixel at any size; `flow.encode` takes such a list. "pad", "crop",
            "resize" and "original" change the size, as `flowzoo encode` does.

    Raises:
        ImageError: If there is no image, one cannot be read, or its size does not fit.
        ArgumentError: For another fit.
    """
    if fit is not None and fit not in get_args(Fit):
        choices = ", ".join(get_args(Fit))
        raise ArgumentError(f"fit must be None or one of {choices}; got {fit!r}.")
    several = [paths] if isinstance(paths, str | Path) else paths
    files, skipped = expand([user_path(path) for path in several])
    if skipped:
        warnings.warn(say_skipped(skipped), stacklevel=2)
    frames = (read_frames(file, flow, fit, name) for file, name in files.items())
    return [image for found in frames for image, _ in found]
