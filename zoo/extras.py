"""Modules that need more than the base installation."""

import importlib
from typing import Any

from zoo.errors import ConfigError


def require(module: str, extra: str) -> Any:
    """Import a module, or say on one line how to install what it needs.

    Args:
        module: Full name of the module.
        extra: The extra of flowzoo that has everything it needs.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f'this command needs {error.name}: pip install ".[{extra}]" in a clone of flowzoo.'
        ) from error
