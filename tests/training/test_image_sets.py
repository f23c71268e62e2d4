"""Data sets that are decoded once and memory-mapped: downsampled ImageNet, CelebA, folders."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.datasets import CelebA

from tests.folders import save_folder
from tests.test_flow import tiny
from tests.training.official import noise, picture, write_celeba, write_imagenet, write_npz
from zoo.data import load_images
from zoo.data.picture_folder import _is_test
from zoo.errors import ArgumentError, DataError
from zoo.training.image_data import ImageData


def pixels(image: Image.Image) -> torch.Tensor:
    """(C, H, W)."""
    array = np.array(image)
    return torch.from_numpy(array.reshape(*array.shape[:2], -1)).permute(2, 0, 1)


def cached(directory: Path) -> list[Path]:
    return sorted(directory.rglob(".flowzoo/*"))


# Downsampled ImageNet.


@pytest.mark.parametrize("side", [32, 64])
def test_downsampled_imagenet_s_format_is_read(side: int, tmp_path: Path) -> None:
    images = noise(23, 3, side, side)
    write_imagenet(tmp_path, side, images[:20], images[20:])
    name = f"imagenet{side}"
    assert torch.equal(load_images(name, tmp_path, "train"), images[:20])
    assert torch.equal(load_images(name, tmp_path, "test"), images[20:])
    module = ImageData(name, str(tmp_path), val_images=4, batch_size=8)
    module.prepare_data()
    module.setup("fit")
    assert (len(module.train), len(module.val)) == (16, 4)
    batch = next(iter(module.train_dataloader()))
    assert any(torch.equal(batch[0], image) for image in images[:20])


def test_missing_files_of_imagenet_are_named(tmp_path: Path) -> None:
    images = noise(10, 3, 32, 32)
    write_imagenet(tmp_path, 32, images, images)
    (tmp_path / "Imagenet32_train_npz/train_data_batch_7.npz").unlink()
    with pytest.raises(DataError, match=r"missing \S*train_data_batch_7.npz. Get the npz files"):
        load_images("imagenet32", tmp_path, "train")
    with pytest.raises(DataError, match=r"imagenet64: missing .*Imagenet64_val_npz/val_data.npz"):
        load_images("imagenet64", tmp_path, "test")


def test_npz_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "Imagenet32_val_npz/val_data.npz"
    write_npz(path, noise(2, 3, 64, 64))
    with pytest.raises(DataError, match=r"must hold uint8 \(N, 3072\) .* got uint8 \(2, 12288\)"):
        load_images("imagenet32", tmp_path, "test")
    np.savez(path, data=np.array([{"code": "that could run"}], dtype=object))
    with pytest.raises(DataError, match="cannot be read: Object arrays cannot be loaded"):
        load_images("imagenet32", tmp_path, "test")
    np.savez(path, images=np.zeros(3))
    with pytest.raises(DataError, match="cannot be read: .*data is not a file"):
        load_images("imagenet32", tmp_path, "test")
    write_npz(path, noise(2, 3, 32, 32))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="val_data.npz cannot be read: .* Unpack it again"):
        load_images("imagenet32", tmp_path, "test")
    assert cached(tmp_path) == []


# CelebA.


def test_celeba_is_cropped_and_resized_in_its_official_splits(monkeypatch, tmp_path: Path) -> None:
    pictures = [picture(218, 178, seed=seed) for seed in range(7)]
    write_celeba(monkeypatch, tmp_path, {0: pictures[:3], 1: pictures[3:5], 2: pictures[5:]})
    images = {split: load_images("celeba64", tmp_path, split) for split in ("train", "val", "test")}
    assert {split: tuple(part.shape) for split, part in images.items()} == {
        "train": (3, 3, 64, 64),
        "val": (2, 3, 64, 64),
        "test": (2, 3, 64, 64),
    }
    stored = tmp_path / "celeba/img_align_celeba/000004.jpg"
    with Image.open(stored) as face:
        expected = face.crop((15, 35, 163, 183)).resize((64, 64), Image.Resampling.BILINEAR)
    assert torch.equal(images["val"][0], pixels(expected))
    module = ImageData("celeba64", str(tmp_path), val_images=5000)
    module.setup("fit")
    assert torch.equal(module.val[:], images["val"]), "its own validation split"
    assert len(module.train) == 3


def test_celeba_that_is_missing_or_incomplete_says_what_to_do(monkeypatch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Put img_align_celeba/ .*list_eval_partition.txt there"):
        load_images("celeba64", tmp_path, "train")
    write_celeba(monkeypatch, tmp_path, {0: [picture(218, 178)] * 2, 1: [], 2: []})
    (tmp_path / "celeba/img_align_celeba/000002.jpg").unlink()
    with pytest.raises(DataError, match=r"1 images are missing .* the first is 000002.jpg"):
        load_images("celeba64", tmp_path, "train")
    monkeypatch.setattr(CelebA, "file_list", [("", "0" * 32, "list_attr_celeba.txt")])
    with pytest.raises(DataError, match="missing or damaged"):
        load_images("celeba64", tmp_path, "train")


# Folders.


def write_folder(folder: Path, names: list[str], **options: object) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture(*options.get("size", (12, 12)), seed=seed).save(folder / name)


def test_images_of_any_size_are_cropped_and_resized(tmp_path: Path) -> None:
    sizes = {"a.png": (8, 8), "b/tall.png": (40, 20), "b/c/wide.bmp": (9, 31), "d.webp": (5, 5)}
    for name, size in sizes.items():
        write_folder(tmp_path / "train", [name], size=size)
        write_folder(tmp_path / "test", [name], size=size)
    options = {"size": (8, 8), "channels": 3}
    images = load_images("folder", tmp_path, "train", **options)
    assert images.shape == (4, 3, 8, 8)
    with Image.open(tmp_path / "train/a.png") as same:
        assert torch.equal(images[0], pixels(same)), "nothing is lost of what fits"
    with Image.open(tmp_path / "train/b/tall.png") as tall:
        central = tall.resize((8, 8), Image.Resampling.LANCZOS, box=(0, 10, 20, 30))
    assert torch.equal(images[2], pixels(central))
    grey = load_images("folder", tmp_path, "train", size=(8, 16), channels=1)
    assert grey.shape == (4, 1, 8, 16)
    with Image.open(tmp_path / "train/a.png") as colour:
        wanted = ImageOps.fit(colour.convert("L"), (16, 8), Image.Resampling.LANCZOS)
    assert torch.equal(grey[0], pixels(wanted))


def test_a_folder_without_splits_is_split_by_the_names_of_its_files(tmp_path: Path) -> None:
    names = [f"{i % 3}/{i}.png" for i in range(60)]
    write_folder(tmp_path, names)
    options = {"size": (12, 12), "channels": 3}
    train, test = (load_images("folder", tmp_path, split, **options) for split in ("train", "test"))
    assert len(train) + len(test) == 60
    assert 1 <= len(test) <= 15
    expected = [name for name in sorted(names) if _is_test(Path(name))]
    with Image.open(tmp_path / expected[0]) as first:
        assert torch.equal(test[0], pixels(first))
    (tmp_path / next(name for name in names if name not in expected)).unlink()
    assert torch.equal(load_images("folder", tmp_path, "test", **options), test)


def test_the_split_by_name_is_the_same_everywhere() -> None:
    chosen = [i for i in range(100) if _is_test(Path(f"images/{i}.png"))]
    assert chosen == [13, 21, 26, 29, 55, 73, 77, 78, 92, 93, 99]


def test_sub_folders_are_the_splits(tmp_path: Path) -> None:
    for split, count in {"training": 5, "validation": 2, "test": 3}.items():
        folder = tmp_path / "galaxy_mergers/noninteracting" / split
        write_folder(folder, [f"{i}.jpeg" for i in range(count)], size=(40, 40))
    module = ImageData("galaxy", str(tmp_path))
    module.prepare_data()
    module.setup("fit")
    module.setup("test")
    assert [len(part) for part in (module.train, module.val, module.test)] == [5, 2, 3]
    assert module.train[:].shape == (5, 3, 32, 32)
    same = ImageData("folder", str(tmp_path / "galaxy_mergers/noninteracting"), size=32)
    same.setup("fit")
    assert torch.equal(same.train[:], module.train[:])


def test_files_that_are_no_images_are_all_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", ["a.png", "broken.png"])
    broken = tmp_path / "train/broken.png"
    broken.write_bytes(broken.read_bytes()[:-100])
    (tmp_path / "train/labels.csv").write_text("a,1\n")
    (tmp_path / "train/.DS_Store").write_text("ignored, as all hidden files are")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "train/deep.png")
    with (
        pytest.raises(DataError, match="^2 of 3 files cannot be used as images") as error,
        pytest.warns(UserWarning, match="1 file skipped, not named as images: 1 .csv"),
    ):
        load_images("folder", tmp_path, "train", size=(8, 8), channels=3)
    assert all(name in str(error.value) for name in ("broken.png", "deep.png"))
    assert cached(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "a folder need a size"),
        ({"size": (8, 8), "channels": 4}, "have 1 or 3 channels; got 4"),
        ({"size": (8, 8), "channels": 3}, "no images for the train split in"),
    ],
)
def test_folders_that_cannot_be_used_say_why(options: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        load_images("folder", tmp_path, "train", **options)


def test_a_folder_with_train_needs_test(tmp_path: Path) -> None:
    write_folder(tmp_path, ["train/a.png"])
    with pytest.raises(DataError, match="no images for the test split"):
        load_images("folder", tmp_path, "test", size=(8, 8), channels=3)


def test_all_flips_need_square_images(tmp_path: Path) -> None:
    write_folder(tmp_path, ["train/a.png"])
    module = ImageData("folder", str(tmp_path), size=[8, 12], flips="all")
    with pytest.raises(ArgumentError, match=r"needs square images; got \(8, 12\)"):
        module.setup("fit")


def test_a_model_of_a_folder_is_evaluated_on_its_test_images(run, tmp_path: Path) -> None:
    write_folder(tmp_path / "images/train", ["a.png"])
    write_folder(tmp_path / "images/test", ["a.png", "b.png", "c.png"])
    flow, model = tiny("glow", size=(8, 8)), tmp_path / "model"
    save_folder(flow, model, {"name": "tiny", "dataset": "folder"})
    options = ("--data-dir", tmp_path / "images", "--n-samples", 1)
    assert run("evaluate", f"local-dir:{model}", *options)[0] == 0
    evaluation = json.loads((model / "eval.json").read_text())
    assert (evaluation["protocol"]["images"], evaluation["exact_share"]) == (3, 1)


# The file of decoded images.


def test_images_are_decoded_once_and_again_when_files_change(tmp_path: Path) -> None:
    write_folder(tmp_path, ["train/a.png", "train/b.png"])
    options = {"size": (8, 8), "channels": 3}
    first = load_images("folder", tmp_path, "train", **options)
    (made,) = cached(tmp_path)
    changed = made.stat().st_mtime_ns
    assert torch.equal(load_images("folder", tmp_path, "train", **options), first)
    assert cached(tmp_path) == [made]
    assert made.stat().st_mtime_ns == changed
    load_images("folder", tmp_path, "train", size=(4, 4), channels=3)
    assert len(cached(tmp_path)) == 2, "other sizes are kept beside it"
    picture(8, 8, seed=9).save(tmp_path / "train/b.png")
    second = load_images("folder", tmp_path, "train", **options)
    assert torch.equal(second[1], pixels(picture(8, 8, seed=9)))
    assert made not in cached(tmp_path)
    assert len(cached(tmp_path)) == 2, "the stale one is removed"
    assert torch.equal(first[0], second[0]), "and stays readable for who has it open"


def test_an_interrupted_decoding_leaves_nothing(monkeypatch, tmp_path: Path) -> None:
    write_folder(tmp_path, ["train/a.png"])

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_images("folder", tmp_path, "train", size=(8, 8), channels=3)
    assert cached(tmp_path) == []
    assert load_images("folder", tmp_path, "train", size=(8, 8), channels=3).shape == (1, 3, 8, 8)


def test_a_folder_that_cannot_be_written_is_cached_elsewhere(monkeypatch, tmp_path: Path) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache"
    write_folder(data, ["train/a.png"])
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert load_images("folder", data, "train", size=(8, 8), channels=3).shape == (1, 3, 8, 8)
    assert [path.suffix for path in cache.rglob("*") if path.is_file()] == [".u8"]
    assert cached(data) == []
