"""A folder of one's own photographs, few or many, as data set `photos`."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.official import noise
from zoo.data import photos
from zoo.data.photos import Photos
from zoo.errors import DataError
from zoo.training.image_data import ImageData

SET = Photos((8, 8), 3)
SPLITS = ("train", "val", "test")


def fill(folder: Path, count: int, size: tuple[int, int] = (9, 12)) -> Path:
    for i in range(count):
        Image.fromarray(noise(*size, 3, seed=i).numpy()).save(folder / f"photo{i}.png")
    return folder


@pytest.mark.parametrize("count", [3, 5, 30, 120])
def test_every_split_of_few_photographs_has_one_and_none_two(tmp_path: Path, count: int) -> None:
    fill(tmp_path, count)
    found = [set(SET._files(tmp_path, split)) for split in SPLITS]
    assert min(map(len, found)) >= 1
    assert len(set.union(*found)) == sum(map(len, found)) == count
    assert len(found[0]) >= 0.6 * count - 1


def test_a_new_photograph_changes_the_split_of_no_other(tmp_path: Path) -> None:
    fill(tmp_path, 120)
    before = {split: set(SET._files(tmp_path, split)) for split in SPLITS}
    Image.fromarray(noise(9, 12, 3).numpy()).save(tmp_path / "new.png")
    for split in SPLITS:
        assert set(SET._files(tmp_path, split)) - {tmp_path / "new.png"} == before[split]


def test_two_photographs_are_too_few(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no photographs for the train split"):
        SET.training(fill(tmp_path, 2))


def test_what_is_no_photograph_or_too_small_is_skipped_and_counted(tmp_path: Path) -> None:
    fill(tmp_path, 30)
    (tmp_path / "notes.txt").touch()
    Image.fromarray(noise(7, 50, 3).numpy()).save(tmp_path / "low.png")
    with (
        pytest.warns(UserWarning, match="1 file skipped, not named as images: 1 .txt"),
        pytest.warns(UserWarning, match="1 photograph skipped, smaller than"),
    ):
        SET.training(tmp_path)


def test_the_photographs_to_train_on_are_counted(tmp_path: Path) -> None:
    rows = SET.training(fill(tmp_path, 30))
    assert str(rows) == f"{len(rows):,} crops an epoch of {len(rows.sizes)} photographs"


def test_too_many_pixels_are_reduced_by_averages(tmp_path: Path, monkeypatch) -> None:
    fill(tmp_path, 10, (33, 48))
    monkeypatch.setattr(photos, "MOST_BYTES", 10 * 33 * 48 * 3 // 4)
    rows = SET.training(tmp_path)
    assert rows.sizes.tolist() == [[16, 24]] * len(rows.sizes)
    first = np.asarray(Image.open(SET._files(tmp_path, "train")[0]), dtype=float)
    means = first[:32].reshape(16, 2, 24, 2, 3).mean((1, 3))
    found = rows.images[: 16 * 24].view(16, 24, 3).numpy()
    assert np.abs(found - means).max() <= 0.51
    assert SET.load(tmp_path, "test").shape[1:] == (3, 8, 8)


def test_no_photograph_is_reduced_below_a_crop(tmp_path: Path, monkeypatch) -> None:
    fill(tmp_path, 10, (18, 48))
    monkeypatch.setattr(photos, "MOST_BYTES", 1)
    assert SET.training(tmp_path).sizes[0].tolist() == [9, 24]


@pytest.mark.parametrize(("wanted", "count"), [(0.1, 3), (0.001, 1), (4, 4)])
def test_validation_can_be_a_share(tmp_path: Path, wanted: float, count: int) -> None:
    fill(tmp_path, 30, (8, 8))
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
    for i, file in enumerate(sorted(tmp_path.glob("*.png"))):
        file.rename(tmp_path / ("test" if i == 0 else "train") / file.name)
    data = ImageData("folder", str(tmp_path), size=8, val_images=wanted)
    data.setup("fit")
    assert len(data.val) == count
    assert len(data.train) == 29 - count
    assert torch.is_tensor(data.val[:1])
