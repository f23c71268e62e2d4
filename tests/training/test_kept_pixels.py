"""Images kept in a file are those of the data set, or are made anew; figures are whole."""

import os
from pathlib import Path

import pytest
import torch

from tests.training.test_image_sets import cached, write_folder
from zoo.cards import figures
from zoo.data import load_images


def load(folder: Path) -> torch.Tensor:
    return load_images("folder", folder, "all", size=(8, 8), channels=3)


def zero(data: bytes) -> bytes:
    return bytes(len(data))


def cut(data: bytes) -> bytes:
    return data[:192]


def flip(data: bytes) -> bytes:
    return data[:7] + bytes([data[7] ^ 16]) + data[8:]


@pytest.mark.parametrize("harm", [zero, cut, flip, lambda _: b""])
def test_a_damaged_file_of_pixels_is_made_anew(tmp_path: Path, harm) -> None:
    write_folder(tmp_path, ["a.png", "b.png", "c.png"])
    images = load(tmp_path).clone()
    (path,) = cached(tmp_path)
    data = path.read_bytes()
    path.write_bytes(harm(data))
    assert torch.equal(load(tmp_path), images)
    assert path.read_bytes() == data


def test_figures_that_cannot_be_drawn_leave_the_old_ones(tmp_path, monkeypatch) -> None:
    import shutil

    from zoo.folder import ModelFolder
    from zoo.sources import MODELS

    folder = tmp_path / "finc_mnist"
    shutil.copytree(MODELS["finc_mnist"].folder.path, folder)
    before = {path.name: path.read_bytes() for path in folder.glob("*.png")}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        figures.draw_figures(ModelFolder(folder))
    assert {path.name: path.read_bytes() for path in folder.glob("*.png")} == before
