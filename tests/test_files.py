"""Nothing of the user's is damaged by a write, whatever is there and whatever interrupts it."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from zoo.errors import ImageError
from zoo.files import remove_abandoned, write_atomically, write_parts_atomically
from zoo.pictures import write_image


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o022, 0o077, 0o002], ids=oct)
def umask(request) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path, umask: int) -> None:
    write_atomically(tmp_path / "new", b"x")
    assert mode(tmp_path / "new") == 0o666 & ~umask


def test_a_file_that_is_there_keeps_its_permissions(tmp_path, umask: int) -> None:
    path = tmp_path / "private"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_atomically(path, b"new")
    assert (path.read_bytes(), mode(path)) == (b"new", 0o600)


def test_a_link_stays_a_link(tmp_path) -> None:
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_device_and_a_pipe_are_written_to_and_stay(tmp_path) -> None:
    write_atomically(Path("/dev/null"), b"x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_parts_atomically(pipe, [b"a", b"b"])
    reader.join()
    assert read == [b"ab"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("file", b"old")]


def test_a_full_disk_leaves_the_old_picture_whole(tmp_path, monkeypatch) -> None:
    path, image = tmp_path / "picture.png", torch.zeros(3, 4, 5, dtype=torch.uint8)
    write_image(image, path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ImageError, match=r"cannot be written: .*No space left.* is whole"):
        write_image(image + 1, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["picture", "picture.txt", "picture.pdfx"])
def test_an_ending_that_is_no_picture_s_is_said(tmp_path, name: str) -> None:
    with pytest.raises(ImageError, match="ending"):
        write_image(torch.zeros(1, 4, 4, dtype=torch.uint8), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_killed_writes_left_is_removed_after_an_hour(tmp_path) -> None:
    left = tmp_path / ".last.ckpt.0123abcd"
    left.write_bytes(b"half")
    remove_abandoned(tmp_path, ".ckpt")
    assert left.exists()
    os.utime(left, (0, 0))
    remove_abandoned(tmp_path, ".ckpt")
    assert not left.exists()
