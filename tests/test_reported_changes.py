"""Words of `encode` on an image are what was done to it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PIXELS = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)


def encode(run, path: Path, *options: str) -> str:
    to = path.with_name("z")
    code, out, _ = run("encode", path, "--model", "finc_mnist", "-o", to, *options)
    assert code == 0
    return out


@pytest.mark.parametrize("kind", ["png", "jpg", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 10))
def test_turned_pictures(run, tmp_path: Path, kind: str, orientation: int) -> None:
    path, exif = tmp_path / f"a.{kind}", Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(PIXELS).save(path, exif=exif)
    mode = "RGB to L" if kind == "webp" else ""  # which has no grey
    turned = "turned upright" if 1 < orientation < 9 else ""
    done = ", ".join(change for change in (turned, mode) if change)
    out = encode(run, path)
    assert f"a.{kind}: {done or 'as it is'}\n" in out
    assert ("exactly as changed above" in out) == bool(done)


@pytest.mark.parametrize(
    ("size", "done"),
    [((32, 64), "as it is"), ((28, 28), "as it is"), ((30, 64), "padded 30x64 to 32x64")],
)
def test_padding(run, tmp_path: Path, size: tuple[int, int], done: str) -> None:
    Image.fromarray(np.resize(PIXELS, size)).save(tmp_path / "a.png")
    out = encode(run, tmp_path / "a.png", "--pad")
    assert f"a.png: {done}\n" in out
    assert ("exactly as changed above" in out) == (done != "as it is")


def test_one_changed_picture_among_others(run, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    Image.fromarray(PIXELS).convert("1").save(tmp_path / "b.png")
    files, options = [tmp_path / "a.png", tmp_path / "b.png"], ("--model", "finc_mnist")
    code, out, _ = run("encode", *files, "-o", tmp_path / "z", *options)
    assert code == 0
    assert "a.png: as it is\n" in out
    assert "b.png: 1 to L\n" in out
    assert "exactly as changed above" in out
