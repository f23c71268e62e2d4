"""The page of examples/browser, opened from a file in Chromium."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from tests.chromium import chromium, need_chromium, skip

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "browser"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    need_chromium()
    spec = importlib.util.spec_from_file_location("prepare", EXAMPLE / "prepare.py")
    prepare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prepare)
    try:
        prepare.runtime()
    except (OSError, subprocess.SubprocessError) as error:
        skip(f"onnxruntime-web is neither cached nor to be had from npm: {error}")
    path = prepare.prepare(tmp_path_factory.mktemp("browser"))
    with chromium(playwright) as browser:
        opened = browser.new_page()
        opened.requests = []
        opened.on("request", lambda request: opened.requests.append(request.url))
        opened.goto(path.as_uri())
        yield opened


def result(page) -> str:
    page.wait_for_function("!document.getElementById('result').textContent.startsWith('load')")
    return page.text_content("#result")


def test_a_digit_comes_back_without_server_or_request(page) -> None:
    assert result(page) == "784 of 784 pixels are the same."
    assert {url.split(":")[0] for url in page.requests} <= {"file", "blob", "data"}


def test_another_digit_and_other_latents_are_decoded(page) -> None:
    result(page)
    script = "document.getElementById('decoded').toDataURL()"
    seven = page.evaluate(script)
    page.fill("#digit", "3")
    page.wait_for_function(f"{script} !== {seven!r}")
    assert result(page) == "784 of 784 pixels are the same."
    page.fill("#scale", "0.5")
    page.wait_for_function("!document.getElementById('result').textContent.startsWith('784')")
    assert result(page).endswith(" of 784 pixels are the same.")


def test_a_bad_latent_is_an_error_on_the_page(page) -> None:
    result(page)
    page.evaluate("document.getElementById('scale').type = 'text'")
    page.fill("#scale", "infinite")
    page.wait_for_function("document.getElementById('result').textContent.startsWith('error')")
    assert "NaN, infinite or out of range" in result(page)
