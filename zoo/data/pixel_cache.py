"""Images that take long to read, decoded once into a file and memory-mapped from then on."""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zoo.errors import DataError
from zoo.files import write_parts_atomically

Pixels = NDArray[np.uint8]
FOLDER = ".flowzoo"
# Version of the decoding; raise it with every change that makes other images of the same files.
VERSION = 2


def memory_mapped(
    name: str,
    directory: Path,
    files: Sequence[Path],
    shape: tuple[int, ...],
    read: Callable[[], Iterable[Pixels]],
) -> Tensor:
    """Images made of files, uint8 (N, *shape), from a file of bytes that is made at the first call.

    That file is made anew when one of the files has another name, size or time of modification. It
    is in `.flowzoo` of the directory, or in the user's cache if the directory cannot be written.

    Args:
        name: Data set, split and all that the images depend on beside the files.
        directory: Folder of the files.
        files: Files that the images are made of.
        shape: Shape of an image, such as (C, H, W).
        read: Makes the images, part by part, each (n, C, H, W).

    Raises:
        DataError: If the file cannot be written.
    """
    folder = _folder(directory)
    path = folder / f"{name}-{_fingerprint(directory, files)}.u8"
    if not path.exists():
        try:
            write_parts_atomically(path, (np.ascontiguousarray(part).data for part in read()))
        except DataError:
            raise
        except OSError as error:
            raise DataError(f"the images cannot be kept in {path}: {error}.") from error
        for old in set(folder.glob(f"{name}-*.u8")) - {path}:
            old.unlink(missing_ok=True)
    pixels = np.memmap(path, np.uint8, "r").reshape(-1, *shape)
    with warnings.catch_warnings():
        # Nothing writes to images; a writable private mapping would count as memory in use.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(pixels)


def _folder(directory: Path) -> Path:
    if os.access(directory, os.W_OK):
        return directory / FOLDER
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "flowzoo" / hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]


def _fingerprint(directory: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256(str(VERSION).encode())
    for file in files:
        status = file.stat()
        relative = file.relative_to(directory).as_posix()
        digest.update(f"{relative}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]
