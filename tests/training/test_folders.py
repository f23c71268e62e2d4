"""Files of a folder that are taken, and warnings of the others."""

import os
from pathlib import Path

import pytest
import torch

from tests.training.official import picture
from zoo.data import load_images
from zoo.errors import DataError
from zoo.pictures.listing import list_pictures
from zoo.training.image_data import ImageData

SHAPE = {"size": (8, 8), "channels": 3}


def write(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(12, 12, seed=seed).save(folder / name)


def classes(folder: Path, *names: str, count: int = 10) -> None:
    write(folder, *(f"{name}/{i}.png" for name in names for i in range(count)))


def test_a_class_named_train_is_not_taken_for_the_split(tmp_path: Path) -> None:
    classes(tmp_path, "car", "bus", "train")
    message = "a folder train beside 20 other images .* add a folder test; .* data.splits: none"
    for split in ("train", "test"):
        with pytest.raises(DataError, match=message):
            load_images("folder", tmp_path, split, **SHAPE)
    with pytest.raises(DataError, match=message):
        ImageData("folder", str(tmp_path), size=8, val_images=3).prepare_data()


def test_splits_that_are_no_folders(tmp_path: Path) -> None:
    classes(tmp_path, "car", "bus", "train")
    parts = [load_images("folder", tmp_path, s, **SHAPE, splits="none") for s in ("train", "test")]
    assert sum(map(len, parts)) == 30
    assert 0 < len(parts[1]) < 10
    data = ImageData("folder", str(tmp_path), size=8, val_images=3, splits="none")
    data.prepare_data()
    data.setup("fit")
    data.setup("test")
    assert len(data.train) + len(data.val) + len(data.test) == 30


@pytest.mark.parametrize("name", ["folder", "photos"])
def test_splits_a_level_lower_are_not_mixed(name: str, tmp_path: Path) -> None:
    classes(tmp_path / "mine", "train", "test")
    for split in ("train", "test"):
        with pytest.raises(DataError, match=r"has no folder train, but .*mine has train and test"):
            load_images(name, tmp_path, split, **SHAPE)
    assert len(load_images(name, tmp_path / "mine", "train", **SHAPE)) == 10
    assert len(load_images(name, tmp_path, "all", **SHAPE)) == 20


def test_what_lies_beside_the_splits_is_counted(tmp_path: Path) -> None:
    classes(tmp_path, "train", "test", "car")
    write(tmp_path, "loose.png")
    with pytest.warns(UserWarning, match="folders .*train.*; 11 images beside them skipped"):
        assert len(load_images("folder", tmp_path, "train", **SHAPE)) == 10


def test_images_beside_train_alone_are_counted(tmp_path: Path) -> None:
    classes(tmp_path, "train")
    write(tmp_path, "loose.png")
    with pytest.warns(UserWarning, match="folders train; 1 image beside them skipped"):
        assert len(load_images("folder", tmp_path, "train", **SHAPE)) == 10


def test_files_that_are_no_images_by_their_names_are_skipped(tmp_path: Path) -> None:
    classes(tmp_path, "train")
    for name in ("notes.txt", "a.xmp", "b.XMP", "film.mov", "film.mpg", "drawing.svg", "README"):
        (tmp_path / "train" / name).write_text("no image")
    wanted = "1 .mov, 1 .mpg, 1 .svg, 1 .txt, 2 .xmp, 1 without ending"
    with pytest.warns(UserWarning, match=f"10 images in the train split; 7 files .*: {wanted}."):
        assert len(load_images("folder", tmp_path, "train", **SHAPE)) == 10


def test_images_that_cannot_be_read_are_not_skipped(tmp_path: Path) -> None:
    classes(tmp_path, "train")
    (tmp_path / "train/photo.HEIC").write_bytes(b"of a kind that Pillow lacks")
    with pytest.raises(DataError, match=r"^1 of 11 files .*photo\.HEIC"):
        load_images("folder", tmp_path, "train", **SHAPE)


def test_loops_of_links_end_and_count_once(tmp_path: Path) -> None:
    write(tmp_path, *(f"a/{i}.png" for i in range(20)))
    expected = [load_images("folder", tmp_path, split, **SHAPE) for split in ("train", "test")]
    os.symlink(tmp_path, tmp_path / "a/loop")
    os.symlink("z", tmp_path / "a/nowhere")
    os.symlink(tmp_path / "a", tmp_path / "b")
    found = [load_images("folder", tmp_path, split, **SHAPE) for split in ("train", "test")]
    assert all(map(torch.equal, found, expected))


def test_folders_behind_links_are_read(tmp_path: Path) -> None:
    classes(tmp_path / "elsewhere", "train", "test")
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        os.symlink(tmp_path / "elsewhere" / split, tmp_path / "data" / split)
        assert len(load_images("folder", tmp_path / "data", split, **SHAPE)) == 10


def test_hidden_files_and_folders_are_no_part(tmp_path: Path) -> None:
    write(tmp_path, "a.png", ".b.png", ".hidden/c.png")
    assert list_pictures(tmp_path) == ([tmp_path / "a.png"], [])
