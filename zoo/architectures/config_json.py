"""The part of `config.json` that describes a flow: its architecture and configuration."""

from collections.abc import Mapping
from typing import Any

from zoo.architectures.registry import architecture_of, find_architecture
from zoo.config import FlowConfig
from zoo.errors import ConfigError

SCHEMA_VERSION = 1


def config_to_json(config: FlowConfig) -> dict[str, Any]:
    """Turn a configuration into the entries of `config.json`."""
    name = architecture_of(config).name
    return {"schema_version": SCHEMA_VERSION, "architecture": name, "flow": config.to_dict()}


def config_from_json(document: Mapping[str, Any]) -> FlowConfig:
    """Inverse of `config_to_json`; other keys are left alone.

    Raises:
        ConfigError: For a newer schema, an unknown architecture, unknown or missing fields.
    """
    version = document.get("schema_version")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ConfigError(
            f"config schema_version is {version!r}, this flowzoo reads up to {SCHEMA_VERSION}. "
            "Update the clone of flowzoo, and pip install it again."
        )
    if not isinstance(document.get("flow"), dict):
        raise ConfigError("the config has no 'flow' section; it is not a flowzoo model's.")
    architecture = find_architecture(str(document.get("architecture")))
    return architecture.config_class.from_dict(document["flow"])
