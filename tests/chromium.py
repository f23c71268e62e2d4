"""Chromium for the tests that open a page; without one they are skipped, but not by `.ci/run`."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def need_chromium() -> None:
    """Skip without a browser."""
    if CHROMIUM is None:
        skip("there is no Chromium")


def skip(reason: str) -> None:
    """Skip; fail where FLOWZOO_NEEDS_CHROMIUM is set."""
    (pytest.fail if os.environ.get("FLOWZOO_NEEDS_CHROMIUM") else pytest.skip)(reason)


@contextmanager
def chromium(playwright: Any) -> Iterator[Any]:
    """The browser, without a window."""
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
