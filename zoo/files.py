"""Writing a file so that an interruption leaves the old one whole."""

import contextlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.errors import ArgumentError

ABANDONED_S = 3600
LONGEST = 240  # bytes of a name, of the 255 that a disk takes, beside those added to it
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def user_path(path: str | Path) -> Path:
    """A path with ~ spelt out.

    Raises:
        ArgumentError: If it can be none of this machine.
    """
    try:
        if b"\0" in str(path).encode():
            raise ValueError("it holds a zero byte")
        return Path(path).expanduser()
    except (ValueError, RuntimeError) as error:  # no text, or a user that is not known
        raise ArgumentError(f"{str(path)!r} is no path: {error}.") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write to a temporary file beside the path, then rename it."""
    write_parts_atomically(path, [data])


def write_parts_atomically(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write what may be too large for memory, part after part, atomically.

    A link stays one, and its target is written. A file that is there keeps its permissions, a new
    one has those that the umask leaves. A device or a pipe is written to, never replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path = Path(os.path.realpath(path))
    if _is_stream(path):
        with path.open("wb") as file:
            file.writelines(parts)
        return
    end = os.fsdecode(os.fsencode(path.name)[-LONGEST:])
    temporary = path.with_name(f".{end}.{secrets.token_hex(4)}")
    try:
        # As open() does: the umask decides who may read it.
        descriptor = os.open(temporary, FLAGS, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
        if path.is_file():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _is_stream(path: Path) -> bool:
    """Whether it is a device, a pipe or a socket."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


def remove_abandoned(folder: Path, suffix: str) -> None:
    """Remove what killed writes left: temporary files of an hour ago, which no write takes.

    Args:
        folder: Folder of the files or folders that were written.
        suffix: Ending of their names.
    """
    for left in folder.glob(f".*{suffix}.????????"):  # as write_parts_atomically names them
        with contextlib.suppress(FileNotFoundError):  # another process may be done with it
            if time.time() - left.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file, indented, atomically."""
    write_atomically(path, (json.dumps(document, indent=2) + "\n").encode())
