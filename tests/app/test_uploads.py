"""Files and numbers of visitors, without a browser."""

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from zoo.app.uploads import generator_of, read_upload
from zoo.cards.outlying import share_above, share_farther
from zoo.errors import ArgumentError, ImageError
from zoo.latents.attributes import measure
from zoo.latents.sample_directions import attributes_of, sample_directions
from zoo.pictures.animation import animation
from zoo.pictures.shades import shade
from zoo.sources import load, parse


@pytest.fixture(scope="module")
def flow():
    return load("finc_mnist")


def saved(path: Path, size: tuple[int, int], **options) -> str:
    Image.new("L", size).save(path, **options)
    return str(path)


@pytest.mark.parametrize("size", [(28, 28), (300, 40)])
def test_an_upload_is_read_once_and_removed(flow, tmp_path, size) -> None:
    path = saved(tmp_path / "a.png", size)
    assert read_upload(path, flow)[0].shape == (1, 1, 28, 28)
    assert not Path(path).exists()
    with pytest.raises(ArgumentError, match="no file has come"):
        read_upload(path, flow)


def test_large_ones_are_refused_by_their_headers_and_removed(flow, tmp_path) -> None:
    frames = [Image.new("L", (2000, 2000), k) for k in range(5)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    for path, fit in (
        (saved(tmp_path / "wide.png", (5000, 4000)), "resize"),
        (str(tmp_path / "film.gif"), "resize"),
        (saved(tmp_path / "padded.png", (300, 300)), "pad"),
    ):
        with pytest.raises(ImageError, match=r"^\w+\.\w+ has [\d,]+ pixels; this page takes"):
            read_upload(path, flow, fit)
        assert not Path(path).exists()


@pytest.mark.parametrize("seed", [None, -1, 2**60])
def test_seeds_that_are_none_are_refused(seed) -> None:
    with pytest.raises(ArgumentError, match="whole number"):
        generator_of(seed)


def test_directions_of_samples_raise_their_attributes_in_real_images(flow) -> None:
    found = sample_directions(flow, samples=256)
    again = sample_directions(flow, samples=256)
    assert (
        list(found) == attributes_of(flow) == ["stroke_width", "slant", "brightness", "sharpness"]
    )
    assert torch.equal(found.vectors, again.vectors)
    golden = parse("finc_mnist").folder().golden
    images = golden.images[: golden.natural][:6]
    for name in ("stroke_width", "slant", "brightness"):
        less, more = (flow.edit(images, found[name], k * found[name].std) for k in (-3, 3))
        assert (measure(more, [name])[name] > measure(less, [name])[name]).all()


def test_shades_run_from_black_to_white() -> None:
    values = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0])
    assert shade(values, -1, 1).tolist() == [0, 0, 128, 255, 255]
    assert shade(torch.zeros(2), 0, 0).tolist() == [0, 0]


def test_an_animation_goes_forwards_and_back() -> None:
    images = (torch.arange(4) * 80).to(torch.uint8)[:, None, None, None].expand(4, 1, 3, 5)
    picture = Image.open(io.BytesIO(animation(images, scale=2)))
    assert (picture.size, picture.n_frames) == ((10, 6), 6)
    levels = []
    for frame in range(6):
        picture.seek(frame)
        levels.append(picture.convert("L").getpixel((0, 0)))
    assert levels == [0, 80, 160, 240, 160, 80]


def test_the_share_above_is_that_of_the_histogram() -> None:
    histogram = {"edges": [0.0, 1.0, 2.0], "sets": {"test": {"counts": [1, 3]}}}
    assert [share_above(histogram, bits) for bits in (-1, 0.5, 1, 1.5, 3)] == [
        *(1.0, 0.875, 0.75, 0.375, 0.0)
    ]
    assert [share_farther(histogram, bits, 1.5) for bits in (1.5, 1, 2, 0, 9)] == [
        *(1.0, 0.25, 0.25, 0.0, 0.0)
    ]
