"""eval.json: what was measured of a model, beside its weights."""

import json
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.folder.weights import CONFIG, read_config

EVALUATION = "eval.json"


def read_evaluation(folder: Path) -> dict[str, Any] | None:
    """The content of eval.json, or None if the model was not evaluated."""
    path = folder / EVALUATION
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ConfigError(
            f"{path} cannot be read: {error}. Measure again: flowzoo evaluate."
        ) from error


def read_named_config(folder: Path) -> dict[str, Any]:
    """The content of a config.json that says the model's name and its data set."""
    config = read_config(folder)
    if not isinstance(config.get("name"), str) or not isinstance(config.get("dataset"), str):
        raise ConfigError(f"{folder / CONFIG} lacks a name or a dataset. Write both into it.")
    return config
