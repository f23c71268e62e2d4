"""A new folder in place of an old one, at once."""

import ctypes
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from zoo.files import remove_abandoned

# Constants of <fcntl.h> on Linux and <stdio.h> on macOS.
AT_FDCWD, RENAME_EXCHANGE, RENAME_SWAP = -100, 2, 2


def hidden(path: Path, kind: str) -> Path:
    """A free place beside a path."""
    return path.with_name(f".{path.name}.{kind}.{secrets.token_hex(4)}")


def left_aside(path: Path) -> Path | None:
    """The old folder, if it is all that is left of a replacement that was killed."""
    pattern = f".{glob.escape(path.name)}.old.*"
    return None if path.exists() else next(path.parent.glob(pattern), None)


def swap(new: Path, path: Path, replaced: Collection[str]) -> None:
    """Put a folder in the place of another one, whose other entries it takes over.

    Args:
        new: Folder beside the other one. The old one, or nothing, takes its place.
        path: Folder to replace, or a free place.
        replaced: Names of the entries that are not taken over.
    """
    if not path.exists():
        new.rename(path)
        return
    shutil.copymode(path, new)
    for entry in path.iterdir():
        if entry.name not in replaced:
            _take_over(entry, new / entry.name)
        elif (new / entry.name).exists():
            shutil.copymode(entry, new / entry.name)
    try:
        _exchange(new, path)
    except OSError:  # a file system that cannot
        _rename_both(new, path)


def tidy(path: Path) -> None:
    """Bring back an old folder that was left aside, and remove what other kills left."""
    if left := left_aside(path):
        left.rename(path)
    for kind in ("new", "old"):
        remove_abandoned(path.parent, f"{glob.escape(path.name)}.{kind}")


def _take_over(entry: Path, target: Path) -> None:
    """Link a file or a folder of files, so that nothing is lost at any moment."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.copytree(entry, target, symlinks=True, copy_function=_link)
    else:
        _link(str(entry), str(target))


def _link(entry: str, target: str) -> None:
    try:
        os.link(entry, target, follow_symlinks=False)
    except OSError:  # a file system without links
        shutil.copy2(entry, target, follow_symlinks=False)


def _exchange(one: Path, other: Path) -> None:
    """Let two paths change places in one step, or raise OSError."""
    a, b = os.fsencode(one), os.fsencode(other)
    libc: Any = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None
    if hasattr(libc, "renameat2"):
        failed = libc.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)
    elif sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(a, b, RENAME_SWAP)
    else:
        failed = True
    if failed:
        raise OSError(ctypes.get_errno(), "two folders cannot change places at once")


def _rename_both(new: Path, path: Path) -> None:
    old = hidden(path, "old")
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    old.rename(new)
