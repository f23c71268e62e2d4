"""Every frame of a picture file is encoded, or the file is refused; none is lost."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.data import load_images
from zoo.errors import DataError, ImageError
from zoo.pictures.image_files import open_frames, open_picture

KINDS = {
    "tiff": {},
    "gif": {},
    "png": {},  # APNG
    "webp": {"lossless": True},
}


def pages(count: int = 4, mode: str = "L") -> list[Image.Image]:
    """28 x 28 pictures that differ everywhere from one another."""
    base = np.random.default_rng(0).integers(0, 200, (28, 28), dtype=np.uint8)
    return [Image.fromarray(base + np.uint8(10 * i)).convert(mode) for i in range(count)]


def write(path: Path, frames: list[Image.Image], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_comes_back(run, tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"a.{kind}", pages(), **KINDS[kind])
    code, out, _ = run("encode", path, "--model", "finc_mnist", "-o", tmp_path / "z")
    assert code == 0
    assert "4 images encoded" in out
    assert all(f"a.{kind}{name}: " in out for name in ("", "#2", "#3", "#4"))
    assert run("decode", tmp_path / "z", "-o", tmp_path / "out")[0] == 0
    for page, name in zip(pages(), ("a", "a#2", "a#3", "a#4"), strict=True):
        with Image.open(tmp_path / "out" / f"{name}.png") as decoded:
            assert np.array_equal(np.array(decoded), np.array(page))


def test_frames_of_an_animation_are_described(run, tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", pages())
    code, out, _ = run("encode", path, "--model", "finc_mnist", "-o", tmp_path / "z")
    assert code == 0
    assert ": ," not in out


@pytest.mark.parametrize("kind", ["png", "tiff", "webp"])
def test_a_damaged_later_frame_is_an_error(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"a.{kind}", pages(), **KINDS[kind])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    with pytest.raises(ImageError, match=rf"a\.{kind} cannot be read as an image"):
        open_frames(path, "L")


def test_where_one_image_is_wanted_several_are_refused(run, tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", pages())
    pages()[0].save(tmp_path / "b.png")
    ends = (path, tmp_path / "b.png")
    code, _, err = run("interpolate", *ends, "--model", "finc_mnist", "-o", tmp_path / "i.png")
    assert code == 2
    assert "a.gif has 4 frames. Save each as a file of its own." in err


@pytest.mark.parametrize("kind", KINDS)
def test_data_sets_refuse_files_of_several_frames(tmp_path: Path, kind: str) -> None:
    write(tmp_path / f"train/a.{kind}", pages(), **KINDS[kind])
    write(tmp_path / "train/b.png", pages(1))
    with pytest.raises(DataError, match=rf"^1 of 2 files .*a\.{kind} has 4 frames"):
        load_images("folder", tmp_path, "train", size=(8, 8), channels=1)


def test_previews_in_photographs_are_not_taken_for_images(tmp_path: Path) -> None:
    """Cameras and phones write a preview or a gain map behind a JPEG."""
    path = write(tmp_path / "a.mpo", pages(2, "RGB"))
    (frame,) = open_frames(path.rename(tmp_path / "a.jpg"), "RGB")
    assert frame.changes == ["only the first of its pictures"]
    assert open_picture(tmp_path / "a.jpg", "RGB").size == (28, 28)
