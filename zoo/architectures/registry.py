"""The architectures that exist, and their configurations as JSON."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.architectures import cinc, conf, emerging, finc, glow
from zoo.config import FlowConfig
from zoo.errors import ConfigError, suggest
from zoo.flow import Flow

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Architecture:
    """A family of flows.

    Attributes:
        name: Its name.
        config_class: What describes one of its flows.
        build: Makes a flow with random weights from a configuration.
        presets: Configurations by name: `paper_*` as published, `compact_*` to train on a laptop.
    """

    name: str
    config_class: type[FlowConfig]
    build: Callable[[Any], Flow]
    presets: Mapping[str, FlowConfig]

    def preset(self, name: str, **changes: Any) -> FlowConfig:
        """A named configuration, with some fields changed."""
        if name not in self.presets:
            raise ConfigError(
                f"{self.name} has no configuration {name!r}.{suggest(name, self.presets)}"
            )
        fields = {field.name for field in dataclasses.fields(self.config_class)}
        if unknown := set(changes) - fields:
            wrong = unknown.pop()
            raise ConfigError(f"{self.name} has no field {wrong!r}.{suggest(wrong, fields)}")
        return self.config_class.from_dict({**self.presets[name].to_dict(), **changes})


ARCHITECTURES: dict[str, Architecture] = {
    entry.name: entry
    for entry in (
        Architecture("glow", glow.GlowConfig, glow.glow, glow.PRESETS),
        Architecture("emerging", emerging.EmergingConfig, emerging.emerging, emerging.PRESETS),
        Architecture("cinc", cinc.CIncConfig, cinc.cinc, cinc.PRESETS),
        Architecture("cinc_quad", cinc.CIncQuadConfig, cinc.cinc_quad, cinc.QUAD_PRESETS),
        Architecture("finc", finc.FIncConfig, finc.finc, finc.PRESETS),
        Architecture("conf", conf.ConfConfig, conf.conf, conf.PRESETS),
    )
}


def find_architecture(name: str) -> Architecture:
    """The architecture of this name, or a ConfigError that suggests others."""
    if name not in ARCHITECTURES:
        raise ConfigError(f"no architecture {name!r}.{suggest(name, ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build(config: FlowConfig) -> Flow:
    """Make a flow with random weights from a configuration of any architecture."""
    return _architecture_of(config).build(config)


def config_to_json(config: FlowConfig) -> dict[str, Any]:
    """What `config.json` holds of a configuration."""
    name = _architecture_of(config).name
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


def _architecture_of(config: FlowConfig) -> Architecture:
    for architecture in ARCHITECTURES.values():
        if architecture.config_class is type(config):
            return architecture
    raise ConfigError(f"{type(config).__name__} is the configuration of no architecture.")
