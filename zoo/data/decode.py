"""Image files to pixels, many at a time."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from zoo.data.pixel_cache import Pixels
from zoo.errors import DataError, ImageError, counted
from zoo.pictures import MODES, open_picture

PART = 1024
NAMED = 10


def decode(
    files: Sequence[Path], channels: int, fit: Callable[[Image.Image], Image.Image]
) -> Iterator[Pixels]:
    """Pixels of image files, in parts (n, C, H, W).

    Args:
        files: In any format that Pillow reads, with 8 bits per channel.
        channels: 1 for grey, 3 for RGB; images of another kind are converted.
        fit: Makes all images equally large.

    Raises:
        DataError: After the last file, if any of them cannot be read; names them.
    """
    broken: list[str] = []

    def read(file: Path) -> Pixels | None:
        try:
            picture = fit(open_picture(file, MODES[channels]))
        except ImageError as error:
            broken.append(str(error))
            return None
        pixels: Pixels = np.asarray(picture).reshape(picture.height, picture.width, channels)
        return pixels.transpose(2, 0, 1)

    starts = range(0, len(files), PART)
    with ThreadPoolExecutor(
        os.cpu_count()
    ) as pool:  # Pillow decodes without the interpreter's lock
        for start in track(starts, description=f"reading {len(files):,} images"):
            found = list(pool.map(read, files[start : start + PART]))
            if not broken:
                yield np.stack([pixels for pixels in found if pixels is not None])
    if broken:
        some = "; ".join(sorted(broken)[:NAMED])
        raise DataError(
            f"{len(broken)} of {counted(len(files), 'file')} cannot be used as images. Repair or "
            f"remove them. The first: {some}"
        )
