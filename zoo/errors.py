"""Every error that flowzoo raises on purpose: one sentence on what was wrong, one on what to do."""

import difflib
import importlib
from collections.abc import Iterable
from typing import Any


class FlowzooError(Exception):
    """Base of all errors of this package; the command line prints them on one line.

    Attributes:
        exit_status: Exit status of the command after this error.
    """

    exit_status = 2


class ArgumentError(FlowzooError, ValueError):
    """A number or option out of its range."""


class ImageError(FlowzooError, ValueError):
    """Images of a wrong dtype, shape, size or value range."""


class LatentError(FlowzooError, ValueError):
    """Latents of a wrong dtype, shape or length, with NaN, or of another model."""


class ConfigError(FlowzooError, ValueError):
    """A configuration that cannot be read or that describes no model."""


class UnknownModelError(FlowzooError, ValueError):
    """A model name that is not registered, or a source that is none of the known kinds."""


class LatentIndexError(FlowzooError, IndexError):
    """An index that no latents have: out of range, or no whole number."""


class NotInvertibleError(FlowzooError, ValueError):
    """A bijection without an inverse, or images that do not come back from their latents."""


class NonFiniteError(FlowzooError, ValueError):
    """NaN or infinity where a number was due."""


class WeightsError(FlowzooError, OSError):
    """Weights that are missing, truncated, tampered with, or of another model."""


class DamagedError(WeightsError):
    """Weights that are not, byte for byte, the announced ones; getting them again may help."""


class HubError(FlowzooError, OSError):
    """The Hugging Face Hub lacks or refuses what was asked for, or cannot be reached."""


class DataError(FlowzooError, OSError):
    """A data set whose files are missing or not the official ones."""


class TooLargeError(FlowzooError, MemoryError):
    """Images that need more memory than there is."""


class TerminatedError(FlowzooError, RuntimeError):
    """Training that SIGTERM ended, after a checkpoint was written."""

    exit_status = 128 + 15


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


def suggest(name: str, known: Iterable[str], most: int = 3) -> str:
    """A sentence with the known names close to a name, at `most` so many, or else with all."""
    names = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), names, n=most, cutoff=0.4)
    if close:
        return f" Did you mean {' or '.join(map(names.__getitem__, close))}?"
    return f" There are: {', '.join(names.values())}." if names else " There are none."


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as "1 image" and "2,000 images"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
