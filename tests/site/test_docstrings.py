"""Public docstrings are complete: each exists, and names every argument."""

import importlib
import pkgutil
import re

import pytest

import zoo
from tests.site.reference import ROOMS, arguments, public_callables

# Maps of tensors: the class says what they are.
TENSORS = {"x", "y", "z"}
# Docstrings that send the reader on say where.
ELSEWHERE = re.compile(r"(see|as for|Inverse of|Options of) `[\w.]+`")
# The command line and the web page have pages of their own, and the flow is in `zoo`.
NOT_LISTED = {"zoo.app", "zoo.cli", "zoo.flow"}


def missing(function: object, text: str) -> list[str]:
    """Arguments that a docstring says nothing of; "docstring" if there is none."""
    if not text.strip():
        return ["docstring"]
    if ELSEWHERE.search(text):
        return []
    names = (name for name in arguments(function) if name not in TENSORS)
    return [name for name in names if not re.search(rf"\b{name}\b", text, re.IGNORECASE)]


def test_every_public_room_is_in_the_reference() -> None:
    modules = (found.name for found in pkgutil.walk_packages(zoo.__path__, "zoo."))
    loaded = {name: importlib.import_module(name) for name in modules if name != "zoo.__main__"}
    public = {name for name, module in loaded.items() if hasattr(module, "__all__")}
    assert sorted(ROOMS) == sorted({"zoo", "zoo.errors", *public} - NOT_LISTED)


@pytest.mark.parametrize("room", ROOMS)
def test_public_docstrings_are_complete(room: str) -> None:
    found = {name: missing(function, text) for name, function, text in public_callables(room)}
    assert found, "a room without public names"
    assert {name: names for name, names in found.items() if names} == {}


def test_what_a_docstring_lacks_is_found() -> None:
    def scale(images: object, factor: float, *, size: int) -> None: ...

    assert missing(scale, "") == ["docstring"]
    assert missing(scale, "Scale images by a factor.") == ["size"]
    assert missing(scale, "Scale; arguments as for `shift`.") == []
