"""Cards of flows of photographs: codecs beside them, and how own pictures get onto them."""

import io
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from tests.folders import render_card, save_folder, save_golden
from tests.test_flow import tiny
from zoo.cards.results import JPEG_XL, _codecs
from zoo.data.catalogue import FOLDER, PHOTOS
from zoo.evaluation.codecs import IMAGES, codec_bits
from zoo.folder import make_golden


def noise(count: int, *shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator)


def test_codecs_are_measured_by_the_bytes_of_their_files() -> None:
    images = noise(3, 3, 16, 24)
    sizes = []
    for image in images:
        data = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(data, "PNG", optimize=True)
        sizes.append(len(data.getvalue()))
    found = codec_bits(images)
    assert found["PNG"] == pytest.approx(8 * sum(sizes) / (3 * 3 * 16 * 24))
    assert 8 < found["WebP"] < 9  # noise has 8 bits, and a file has a header


def test_flat_pictures_take_next_to_nothing_and_many_are_sampled() -> None:
    flat = torch.zeros(3 * IMAGES, 3, 8, 8, dtype=torch.uint8)
    assert max(codec_bits(flat).values()) < 4  # headers of tiny files


@pytest.mark.parametrize(
    ("published", "dataset", "quoted"),
    [(True, PHOTOS, True), (False, PHOTOS, False), (True, FOLDER, False)],
)
def test_jpeg_xl_is_quoted_for_the_zoo_s_own_photographs_only(published, dataset, quoted) -> None:
    subject = SimpleNamespace(published=published, folder=SimpleNamespace(dataset=dataset))
    text = _codecs(subject, {"PNG": 4.188, "WebP": 3.276})
    assert "4.188 for PNG, 3.276 for WebP" in text
    assert (JPEG_XL in text) == quoted
    assert _codecs(subject, {}) == ""


@pytest.mark.parametrize("natural", [0, 2])
def test_a_card_without_pictures_says_how_they_get_there(tmp_path, natural: int) -> None:
    flow = tiny()
    save_folder(flow, tmp_path, {"name": "mine", "dataset": "folder"})
    images = noise(natural, 1, 8, 12) if natural else None
    save_golden(make_golden(flow, images), tmp_path)
    assert ("flowzoo export --include-images" in render_card(tmp_path)) == (natural == 0)
