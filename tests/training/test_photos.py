"""Large photographs: random crops to train on, all of them to measure on."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from tests.training.official import noise
from tests.training.runs import OVERRIDES, recipe
from zoo.data import load_images
from zoo.data.photos import Photos
from zoo.errors import DataError
from zoo.training.export_folder import load_checkpoint
from zoo.training.image_data import ImageData
from zoo.training.lightning_cli import train
from zoo.training.sampler import ShuffledSampler

SIZES = {"train/a.png": (20, 30), "train/b.png": (9, 8)}
SIZES |= {"val/c.png": (8, 17), "test/d.png": (19, 9)}
SET = Photos((8, 8), 3)


def pixels(name: str) -> torch.Tensor:
    """(H, W, 3), other ones for every name."""
    return noise(SIZES[name][0], SIZES[name][1], 3, seed=sum(name.encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SIZES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels(name).numpy()).save(tmp_path / name)
    Image.fromarray(noise(7, 50, 3).numpy()).save(tmp_path / "train" / "too_low.png")
    return tmp_path


def is_part(crop: torch.Tensor, photo: torch.Tensor) -> bool:
    """Whether a crop (3, 8, 8) occurs in a photograph (H, W, 3)."""
    places = photo.unfold(0, 8, 1).unfold(1, 8, 1)  # (rows, columns, 3, 8, 8)
    return bool((places == crop).flatten(2).all(2).any())


def test_all_crops_lie_side_by_side(folder) -> None:
    images = load_images("photos", folder, "test", size=(8, 8), channels=3)
    d = pixels("test/d.png").permute(2, 0, 1)
    assert torch.equal(images, torch.stack([d[:, :8, :8], d[:, 8:16, :8]]))
    assert load_images("photos", folder, "val", size=(8, 8), channels=3).shape == (2, 3, 8, 8)
    assert load_images("photos", folder, "val", size=(8, 16), channels=1).shape == (1, 1, 8, 16)


def test_random_crops_are_parts_of_photographs(folder) -> None:
    rows = SET.training(folder)
    assert len(rows) == (20 * 30 + 9 * 8) // 64
    seen = Counter()
    for epoch in range(60):
        rows.start(0, epoch)
        for crop in rows.__getitems__(list(range(len(rows)))):
            (name,) = [n for n in ("train/a.png", "train/b.png") if is_part(crop, pixels(n))]
            seen[name] += 1
    # In proportion to the places that a crop can have: 13 x 23 and 2 x 1.
    assert 0 < seen["train/b.png"] < 0.03 * seen.total()


def test_crops_are_a_function_of_seed_epoch_and_index(folder) -> None:
    first, again = SET.training(folder), SET.training(folder)
    indices = list(range(len(first)))
    drawn = {}
    for seed, epoch in ((0, 0), (0, 1), (1, 0)):
        first.start(seed, epoch)
        again.start(seed, epoch)
        drawn[seed, epoch] = first.__getitems__(indices)
        assert torch.equal(again.__getitems__(indices[::-1]), drawn[seed, epoch].flip(0))
    assert len({crops.numpy().tobytes() for crops in drawn.values()}) == 3


def test_the_sampler_starts_the_epoch(folder, monkeypatch) -> None:
    data = ImageData("photos", str(folder), batch_size=2, size=8, flips="all")
    data.prepare_data()
    data.setup("fit")
    assert len(data.val) == 2
    monkeypatch.setenv("PL_GLOBAL_SEED", "3")
    monkeypatch.setattr("zoo.training.sampler.place", lambda trainer: (5, 0))
    next(iter(ShuffledSampler(data.train, 2, None)))
    assert data.train.place == (3, 5)
    assert next(iter(data.train_dataloader())).shape == (2, 3, 8, 8)


def test_turned_photographs_are_upright(tmp_path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    turned = Image.fromarray(noise(8, 24, 3).numpy())
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "test" / "a.png", exif=exif)
    images = load_images("photos", tmp_path, "test", size=(8, 8), channels=3)
    upright = np.rot90(np.asarray(turned), -1).copy()
    assert torch.equal(images, torch.from_numpy(upright).view(3, 8, 8, 3).permute(0, 3, 1, 2))


def test_without_folders_a_hash_of_the_path_decides(tmp_path) -> None:
    for i in range(40):
        Image.fromarray(noise(8, 8, 3, seed=i).numpy()).save(tmp_path / f"{i}.png")
    counts = {split: len(SET.load(tmp_path, split)) for split in ("train", "val", "test")}
    assert sum(counts.values()) == 40
    assert min(counts.values()) > 0
    assert counts["train"] > 24


def test_photographs_that_are_too_small_are_refused(folder) -> None:
    with pytest.raises(DataError, match="it has 0 of 100 x 8 pixels or larger"):
        Photos((100, 8), 3).load(folder, "test")
    with pytest.raises(DataError, match="need a size"):
        load_images("photos", folder, "test", channels=3)


def test_a_flow_is_trained_on_photographs(folder, tmp_path) -> None:
    document = recipe(tmp_path / "run", trainer={"max_steps": 2})
    document["data"] = {"name": "photos", "dir": str(folder), "size": 8, "batch_size": 2}
    document["model"] = {**document["model"], "overrides": {**OVERRIDES, "channels": 3}}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(document))
    train(["--config", str(path)])
    flow, saved = load_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert saved["global_step"] == 2
    images = SET.load(folder, "test")
    assert torch.equal(flow.decode(flow.encode(images)), images)
