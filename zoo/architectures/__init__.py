"""Architectures by name: configuration class, builder, and named configurations, a file each."""

from zoo.architectures import cinc, conf, emerging, finc, glow  # noqa: F401
from zoo.architectures.config_json import config_from_json, config_to_json
from zoo.architectures.registry import (
    ARCHITECTURES,
    Architecture,
    Paper,
    build,
    find_architecture,
    list_architectures,
    list_presets,
    register_architecture,
)

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "Paper",
    "build",
    "config_from_json",
    "config_to_json",
    "find_architecture",
    "list_architectures",
    "list_presets",
    "register_architecture",
]
