"""The public names of the package, as the pages of the reference list them."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "reference").glob("*.md"))
ROOMS = [
    room for page in PAGES for room in re.findall(r"automodule:: (\S+)", page.read_text("utf-8"))
]


def public_names(room: str) -> list[str]:
    """`__all__` of a room; without one, the classes and functions that it defines."""
    module = importlib.import_module(room)
    own = [
        name for name, found in vars(module).items() if getattr(found, "__module__", None) == room
    ]
    return getattr(module, "__all__", own)


def public_callables(room: str) -> Iterator[tuple[str, Any, str]]:
    """Name, signature's owner and docstring of each function, class and public method of a room."""
    for name in public_names(room):
        found = getattr(importlib.import_module(room), name)
        if inspect.isfunction(found):
            yield f"{room}.{name}", found, inspect.getdoc(found) or ""
        elif inspect.isclass(found):
            yield f"{room}.{name}", _made_by(found), found.__doc__ or ""
            yield from _methods(f"{room}.{name}", found)


def _made_by(found: type) -> Any:
    """The method that takes a class's arguments; `object` if there is none of its own."""
    plain = issubclass(found, Exception) or getattr(found, "_is_protocol", False)
    return object if plain or found.__init__ is object.__init__ else found.__init__


def _methods(path: str, found: type) -> Iterator[tuple[str, Any, str]]:
    for name, member in vars(found).items():
        function = getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(function):
            yield f"{path}.{name}", function, inspect.getdoc(getattr(found, name)) or ""
        elif not name.startswith("_") and isinstance(member, property):
            yield f"{path}.{name}", object, member.__doc__ or ""


def arguments(function: Any) -> list[str]:
    """Names of a function's arguments."""
    if function is object:
        return []
    return [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
