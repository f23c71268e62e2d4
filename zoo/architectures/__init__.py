"""Architectures by name: configuration class, builder, and named configurations."""

from zoo.architectures.registry import (
    ARCHITECTURES,
    Architecture,
    build,
    config_from_json,
    config_to_json,
    find_architecture,
)

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "build",
    "config_from_json",
    "config_to_json",
    "find_architecture",
]
