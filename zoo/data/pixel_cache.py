"""Images that take long to read, decoded once into a file and memory-mapped from then on."""

import hashlib
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
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
VERSION = 3
HASH = hashlib.sha256().digest_size


def memory_mapped(
    name: str,
    directory: Path,
    files: Sequence[Path],
    shape: tuple[int, ...],
    read: Callable[[], Iterable[Pixels]],
) -> Tensor:
    """Images made of files, uint8 (N, *shape), from a file of bytes that is made at the first call.

    That file is made anew when one of the files has another name, size or time of modification, or
    when it does not end with the hash of its content. It is in `.flowzoo` of the directory, or in
    the user's cache if the directory cannot be written.

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
    if (pixels := _whole(path)) is None:
        try:
            write_parts_atomically(path, _with_hash(read()))
        except DataError:
            raise
        except OSError as error:
            raise DataError(f"the images cannot be kept in {path}: {error}.") from error
        for old in set(folder.glob(f"{name}-*.u8")) - {path}:
            old.unlink(missing_ok=True)
        pixels = _whole(path)
    if pixels is None or pixels.size % math.prod(shape):
        raise DataError(f"{path} is not as it was just written. Check the disk.")
    with warnings.catch_warnings():
        # Nothing writes to images; a writable private mapping would count as memory in use.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(pixels.reshape(-1, *shape))


def _with_hash(parts: Iterable[Pixels]) -> Iterator[bytes | memoryview]:
    digest = hashlib.sha256()
    for part in parts:
        data = np.ascontiguousarray(part).data
        digest.update(data)
        yield data
    yield digest.digest()


def _whole(path: Path) -> Pixels | None:
    """The bytes of a file before the hash that it ends with, memory-mapped; None without it."""
    if not path.is_file() or path.stat().st_size <= HASH:
        return None
    content = np.memmap(path, np.uint8, "r")
    pixels = content[:-HASH]
    return pixels if hashlib.sha256(pixels.data).digest() == content[-HASH:].tobytes() else None


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
