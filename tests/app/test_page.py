"""Each tab of the page once, from an upload to its result, in a real browser."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.app.browser import CALLED, LOOPBACK, Visitor
from tests.chromium import chromium, need_chromium
from zoo.latents import directions
from zoo.pictures import write_image
from zoo.sources import load, parse

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="gradio is not installed")

MODEL = "finc_mnist"
NATURAL = parse(MODEL).folder().golden.images


@pytest.fixture(scope="module")
def served():
    need_chromium()
    from zoo.app import serve

    CALLED.clear()
    page = serve([MODEL], wait=False)
    yield page
    page.close()


@pytest.fixture(scope="module")
def browser(served):
    with chromium(playwright) as opened:
        yield opened


@pytest.fixture(scope="module")
def visitor(browser, served):
    return Visitor(browser, served.local_url)


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> list[Path]:
    """Files of four digits."""
    folder = tmp_path_factory.mktemp("digits")
    paths = [folder / f"digit{k}.png" for k in range(4)]
    for image, path in zip(NATURAL, paths, strict=False):
        write_image(image, path)
    return paths


def opened(address: str) -> torch.Tensor:
    """Pixels of a picture inside the page."""
    data = base64.b64decode(address.split(",")[1])
    return torch.from_numpy(np.array(Image.open(io.BytesIO(data))))


def test_an_image_comes_back_and_so_do_its_saved_latents(visitor, digits, tmp_path) -> None:
    visitor.drop("exact-image", digits[0])
    assert visitor.text("exact-result", "784 values").startswith("0 of 784 values differ")
    image, decoded, difference, *levels = visitor.pictures("exact-result", 5)
    assert torch.equal(opened(image), NATURAL[0, 0])
    assert torch.equal(opened(decoded), NATURAL[0, 0])
    assert not opened(difference).any()
    assert len(levels) == len(load(MODEL).blocks)
    with visitor.page.expect_download() as download:
        visitor.page.click("#exact-result a")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    visitor.drop("exact-latents", path)
    (again,) = visitor.pictures("exact-decoded", 1)
    assert torch.equal(opened(again), NATURAL[0, 0])
    visitor.screenshot("exact")


def test_small_images_are_enlarged_by_whole_factors(visitor) -> None:
    for width, height, shown_width, shown_height in visitor.sizes("exact-result"):
        assert shown_width % width == 0
        assert shown_width // width == shown_height // height > 0
    assert visitor.sizes("exact-result")[0] == [28, 28, 224, 224]


def test_an_edit_begins_at_the_image_s_own_place(visitor, digits) -> None:
    visitor.open("Edit")
    visitor.drop("edit-image", digits[1])
    visitor.pictures("edit-result", 1)
    visitor.page.click("#edit-run")
    before, after = visitor.pictures("edit-result", 2)
    assert before == after
    visitor.page.fill("#edit-stroke_width input[type=number]", "6")
    visitor.page.click("#edit-run")
    visitor.page.wait_for_function(
        f"document.querySelectorAll('#edit-result img')[1].src !== {after!r}"
    )
    before, after = visitor.pictures("edit-result", 2)
    assert torch.equal(opened(before), NATURAL[1, 0])
    assert opened(after).double().mean() > 1.2 * NATURAL[1].double().mean()
    visitor.screenshot("edit")


def test_two_images_are_mixed(visitor, digits) -> None:
    visitor.open("Mix")
    for k in range(2):
        visitor.drop(f"mix-{k}", digits[k])
        visitor.pictures(f"mix-view-{k}", 1)
    visitor.page.click("#mix-run")
    _, gif, first, second = visitor.pictures("mix-result", 4)
    data = base64.b64decode(gif.split(",")[1])
    assert Image.open(io.BytesIO(data)).n_frames == 14  # 8 forwards and 6 back
    flow = load(MODEL)
    fine, coarse = zip(*(flow.levels(flow.encode(NATURAL[k : k + 1])) for k in (0, 1)), strict=True)
    mixed = flow.decode(flow.flatten([fine[0], coarse[1]]))
    assert torch.equal(opened(first), mixed[0, 0])
    assert not torch.equal(opened(first), opened(second))
    visitor.screenshot("mix")


def test_samples_are_those_of_the_seed(visitor) -> None:
    visitor.open("Sample")
    visitor.page.fill("#sample-seed input", "7")
    visitor.page.click("#sample-run")
    visitor.text("sample-result", "16 images of seed 7")
    (drawn,) = visitor.pictures("sample-result", 1)
    generator = torch.Generator().manual_seed(7)
    image = load(MODEL).sample(16, temperature=0.8, generator=generator)[0, 0]
    assert torch.equal(opened(drawn)[1:113:4, 1:113:4], image)
    assert not visitor.page.is_visible("#sample-class")  # the flow has none
    visitor.screenshot("sample")


def test_an_image_is_judged_among_those_of_the_test_split(visitor, digits) -> None:
    visitor.open("Judge")
    visitor.drop("judge-image", digits[2])
    said = visitor.text("judge-result", "bits/dim.")
    generator = torch.Generator().manual_seed(0)
    bits = float(load(MODEL).bits_per_dim(NATURAL[2:3], generator=generator))
    assert said.startswith(f"{bits:.3f} bits/dim.")
    assert "of the test split's images are less likely" in said
    assert "have a higher complexity score" in said
    visitor.pictures("judge-result", 1 + 2 + 2)
    visitor.screenshot("judge")


def test_the_card_and_the_certificate_are_shown(visitor) -> None:
    visitor.open("About")
    visitor.text("about-card", "MNIST")
    assert visitor.pictures("about-card", 6)[0].startswith("data:image/png")
    visitor.page.click("#about-run")
    visitor.page.wait_for_selector("#about-certificate :text('blocks.0')")
    visitor.screenshot("about", whole=False)


def test_two_visitors_at_once_do_not_mix(browser, served, digits) -> None:
    visitors = [Visitor(browser, served.local_url) for _ in range(2)]
    for k, each in enumerate(visitors):
        each.open("Edit")
        each.drop("edit-image", digits[2 + k])
    for each in visitors:
        each.pictures("edit-result", 1)
    for each in reversed(visitors):
        each.page.click("#edit-run")
    for k, each in enumerate(visitors):
        before, after = each.pictures("edit-result", 2)
        assert before == after
        assert torch.equal(opened(after), NATURAL[2 + k, 0])
        each.page.close()


def test_failed_requests_say_the_library_s_line(visitor, tmp_path, digits) -> None:
    visitor.open("Exact")
    (tmp_path / "note.png").write_text("no picture")
    visitor.drop("exact-image", tmp_path / "note.png")
    assert "note.png cannot be read as an image: cannot identify" in visitor.error()
    found = directions(torch.randn(8, 784), [0, 1] * 4, method="paper", flow=load(MODEL))
    found.save(tmp_path / "z.safetensors")
    visitor.drop("exact-latents", tmp_path / "z.safetensors")
    assert "z.safetensors is not a file of latents that flowzoo encode wrote" in visitor.error()
    visitor.open("Mix")
    fresh = Visitor(visitor.page.context.browser, visitor.page.url)
    fresh.open("Mix")
    fresh.page.click("#mix-run")
    assert "mixing takes two images. Drop both first." in fresh.error()
    fresh.page.close()


def test_large_uploads_are_refused(visitor, tmp_path) -> None:
    visitor.open("Exact")
    Image.new("L", (5000, 4000)).save(tmp_path / "wide.png")
    visitor.drop("exact-image", tmp_path / "wide.png")
    assert "wide.png has 20,000,000 pixels; this page takes 16,777,216." in visitor.error()
    (tmp_path / "heavy.png").write_bytes(bytes(5 * 2**20))
    visitor.drop("exact-image", tmp_path / "heavy.png")
    visitor.page.wait_for_selector(":text('the maximum')")


def test_no_upload_is_left(visitor, served) -> None:
    left = [path for path in Path(served.folder.name).rglob("*") if path.is_file()]
    assert [path for path in left if path.stat().st_size] == []


def test_nothing_was_asked_of_another_machine(visitor) -> None:
    assert len(visitor.requests) > 20
    assert visitor.strangers() == set()
    assert {host for host in CALLED if host not in LOOPBACK} <= {"None", "0.0.0.0"}


def test_the_server_is_on_the_loopback(served) -> None:
    assert served.local_url.startswith("http://127.0.0.1:")
    assert served.share_url is None
