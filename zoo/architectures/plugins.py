"""Code of others that registers architectures and data sets: asked for by name, or installed."""

import importlib
import importlib.util
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

from zoo.errors import ArgumentError

GROUP = "flowzoo"


def load_plugin(source: str) -> None:
    """Import a plugin, which registers what it has; once, however often it is asked for.

    Args:
        source: A Python file, or the name of a module.

    Raises:
        ArgumentError: If there is no such file or module, or it fails.
    """
    try:
        if source.endswith(".py"):
            _import_file(str(Path(source).expanduser().resolve()))
        else:
            importlib.import_module(source)
    except Exception as error:
        raise ArgumentError(
            f"the plugin {source} cannot be imported: {error!r}. Name a Python file or a module."
        ) from error


@cache
def _import_file(path: str) -> None:
    name = Path(path).stem
    if name in sys.modules:
        raise ImportError(f"a module {name} is imported already; rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look modules up by name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


@cache
def load_installed() -> None:
    """Import the plugins of installed packages: their entry points of the group `flowzoo`."""
    for entry in metadata.entry_points(group=GROUP):
        load_plugin(entry.module)
