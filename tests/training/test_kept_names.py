"""Latents know the files and labels of their images."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo.latents
from tests.folders import save_folder
from tests.test_flow import tiny
from tests.training.official import noise, picture, write_cifar10, write_idx
from tests.training.test_folders import write
from zoo.latents.encoding import encode_dataset
from zoo.latents.file import LatentFile

PHOTOS = sorted(f"{kind}/{i}.png" for kind in ("cat", "dog/pug") for i in range(12))


def pixels(path: Path) -> torch.Tensor:
    """(C, H, W)."""
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def save(folder: Path, **overrides) -> str:
    save_folder(tiny("glow", **overrides), folder)
    return f"local-dir:{folder}"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write(tmp_path / "photos", *PHOTOS)
    write(tmp_path / "photos", "loose.png")
    return tmp_path / "photos"


def test_all_of_a_folder_is_encoded_with_its_names(run, tmp_path: Path, photos: Path) -> None:
    model = save(tmp_path / "model", channels=3, size=(12, 12))
    options = ("--data", "folder", "--data-dir", photos, "--shard-size", 10)
    code, out, _ = run("encode-dataset", model, *options, "--out", tmp_path / "z")
    assert code == 0
    assert "25 images in 3 shards" in out
    data = zoo.latents.load(tmp_path / "z")
    assert data.names == [*PHOTOS, "loose.png"]
    assert data.labels == ["cat"] * 12 + ["dog"] * 12 + [None]
    for i, name in enumerate(data.names):
        assert torch.equal(data.decode(i), pixels(photos / name))


def test_labels_are_the_folders_below_the_split(tmp_path: Path) -> None:
    write(tmp_path / "set", "train/cat/a.png", "train/dog/b.png", "test/dog/c.png", "test/d.png")
    model = save(tmp_path / "model", channels=3, size=(12, 12))
    encode_dataset(model, "folder", tmp_path / "set", tmp_path / "z")
    data = zoo.latents.load(tmp_path / "z")
    assert data.names == ["test/d.png", "test/dog/c.png", "train/cat/a.png", "train/dog/b.png"]
    assert data.labels == [None, "dog", "cat", "dog"]


def test_labels_of_mnist(monkeypatch, tmp_path: Path) -> None:
    train, test = noise(5, 28, 28), noise(3, 28, 28, seed=1)
    write_idx(monkeypatch, "mnist", tmp_path, train, test)
    model = save(tmp_path / "model", size=(28, 28))
    with pytest.warns(UserWarning, match="mnist: no labels, t10k-labels-idx1-ubyte missing"):
        encode_dataset(model, "mnist", tmp_path, tmp_path / "without")
    assert zoo.latents.load(tmp_path / "without").labels == [None] * 3
    for name, digits in (("train", range(5)), ("t10k", (7, 8, 9))):
        content = struct.pack(">HBBI", 0, 8, 1, len(digits)) + bytes(digits)
        (tmp_path / "MNIST/raw" / f"{name}-labels-idx1-ubyte").write_bytes(content)
    monkeypatch.setattr("zoo.data.official._damaged", lambda folder, files: [])
    encode_dataset(model, "mnist", tmp_path, tmp_path / "z", split="all")
    data = zoo.latents.load(tmp_path / "z")
    assert data.labels == [0, 1, 2, 3, 4, 7, 8, 9]
    assert data.names == [None] * 8
    assert torch.equal(data.decode(slice(None)), torch.cat([train, test])[:, None])


def test_labels_of_cifar10(monkeypatch, tmp_path: Path) -> None:
    write_cifar10(monkeypatch, tmp_path, noise(5, 3, 32, 32), noise(2, 3, 32, 32))
    model = save(tmp_path / "model", channels=3, size=(32, 32))
    encode_dataset(model, "cifar10", tmp_path, tmp_path / "z", split="train")
    assert zoo.latents.load(tmp_path / "z").labels == [9] * 5


def test_relative_folders_come_back(run, tmp_path: Path) -> None:
    model = save(tmp_path / "model", channels=3, size=(12, 12))
    names = ("a/000.png", "b/000.png", "b/c/000.png")
    write(tmp_path / "tiles", *names)
    files = [tmp_path / "tiles" / name for name in names]
    assert run("encode", *files, "-o", tmp_path / "z", "-m", model)[0] == 0
    assert run("decode", tmp_path / "z", "-o", tmp_path / "out")[0] == 0
    for name, file in zip(names, files, strict=True):
        assert torch.equal(pixels(tmp_path / "out" / name), pixels(file))


def test_a_folder_is_encoded(run, tmp_path: Path) -> None:
    model = save(tmp_path / "model", channels=3, size=(12, 12))
    write(tmp_path / "tiles", "a/000.png", "b.png")
    (tmp_path / "tiles/notes.txt").write_text("no image")
    code, out, _ = run("encode", tmp_path / "tiles", "-o", tmp_path / "z", "-m", model)
    assert code == 0
    assert "1 file skipped, not named as images: 1 .txt" in out
    assert [image.name for image in LatentFile.load(tmp_path / "z").images] == ["a/000", "b"]
    (tmp_path / "empty").mkdir()
    code, _, err = run("encode", tmp_path / "empty", "-o", tmp_path / "z", "-m", model)
    assert (code, "no files named as images" in err) == (2, True)


def test_names_that_differ_in_case_only_are_told_apart(run, tmp_path: Path) -> None:
    model = save(tmp_path / "model", channels=3, size=(12, 12))
    for i, name in enumerate(("a.png", "A.bmp")):
        picture(12, 12, seed=i).save(tmp_path / name)
    files = (tmp_path / "a.png", tmp_path / "A.bmp")
    assert run("encode", *files, "-o", tmp_path / "z", "-m", model)[0] == 0
    assert run("decode", tmp_path / "z", "-o", tmp_path / "out")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A_1.png", "a.png"]
