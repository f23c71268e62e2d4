"""The architectures that exist: registered by name, each with its configurations."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from zoo.architectures.plugins import load_installed
from zoo.config import FlowConfig
from zoo.errors import ArgumentError, ConfigError, suggest
from zoo.flow import Flow

Build = TypeVar("Build", bound=Callable[..., Flow])
NAME = re.compile("[a-z][a-z0-9_]*")
HOW = (
    "An architecture of your own is registered by zoo.register_architecture, in a file or module "
    "that --plugin names."
)


@dataclass(frozen=True)
class Paper:
    """A paper that introduced an architecture.

    Attributes:
        title: Short name, authors and year.
        url: Address of its page.
        bibtex: Its entry.
    """

    title: str
    url: str
    bibtex: str


@dataclass(frozen=True)
class Architecture:
    """A family of flows.

    Attributes:
        name: Its name.
        build: Makes a flow with random weights from a configuration.
        presets: Configurations by name: `paper_*` as published, `compact_*` to train on a laptop.
        paper: Source of the architecture, for cards; None if it has no paper.
    """

    name: str
    build: Callable[[Any], Flow]
    presets: Mapping[str, FlowConfig]
    paper: Paper | None = None

    @property
    def config_class(self) -> type[FlowConfig]:
        """The class of its configurations."""
        return type(next(iter(self.presets.values())))

    @property
    def about(self) -> str:
        """The first line of the builder's docstring, without its verb."""
        line = (self.build.__doc__ or self.name).splitlines()[0]
        return line.removeprefix("Build ").rstrip(".")

    def preset(self, name: str, **changes: Any) -> FlowConfig:
        """The configuration of a name, with changes of some fields."""
        if name not in self.presets:
            raise ConfigError(
                f"{self.name} has no configuration {name!r}.{suggest(name, self.presets)}"
            )
        fields = {field.name for field in dataclasses.fields(self.config_class)}
        if unknown := set(changes) - fields:
            wrong = unknown.pop()
            raise ConfigError(f"{self.name} has no field {wrong!r}.{suggest(wrong, fields)}")
        return self.config_class.from_dict({**self.presets[name].to_dict(), **changes})


ARCHITECTURES: dict[str, Architecture] = {}


def register_architecture(
    name: str, *, presets: Mapping[str, FlowConfig], paper: Paper | None = None
) -> Callable[[Build], Build]:
    """Register the function below as the builder of an architecture.

    Training, evaluation, export, cards, the Hub and loading then work as for those of the zoo.

    Args:
        name: Lower-case letters, digits and underscores.
        presets: Named configurations, all of one subclass of `FlowConfig` of its own.
        paper: Paper that cards cite.

    Raises:
        ArgumentError: If the name or the class is taken, or the presets are of several classes.
    """
    if not NAME.fullmatch(name) or name in ARCHITECTURES:
        raise ArgumentError(
            f"{name!r} cannot name an architecture: it is taken, or not of a-z, 0-9 and _."
        )
    classes = {type(preset) for preset in presets.values()}
    taken = {architecture.config_class for architecture in ARCHITECTURES.values()}
    fit = len(classes) == 1 and all(issubclass(found, FlowConfig) for found in classes)
    if not fit or classes & taken:
        raise ArgumentError(
            f"the presets of {name} must be of one class of its own, derived from zoo.FlowConfig."
        )

    def register(build: Build) -> Build:
        ARCHITECTURES[name] = Architecture(name, build, dict(presets), paper)
        return build

    return register


def list_architectures() -> list[str]:
    """Names of the architectures: the zoo's, and those that plugins registered."""
    load_installed()
    return sorted(ARCHITECTURES)


def list_presets(architecture: str) -> list[str]:
    """Names of an architecture's configurations."""
    return sorted(find_architecture(architecture).presets)


def find_architecture(name: str) -> Architecture:
    """The architecture of this name, or a ConfigError that suggests others."""
    if name not in ARCHITECTURES:
        load_installed()
    if name not in ARCHITECTURES:
        raise ConfigError(f"no architecture {name!r}.{suggest(name, ARCHITECTURES)} {HOW}")
    return ARCHITECTURES[name]


def architecture_of(config: FlowConfig) -> Architecture:
    """The architecture that a configuration is of."""
    for architecture in ARCHITECTURES.values():
        if architecture.config_class is type(config):
            return architecture
    raise ConfigError(f"{type(config).__name__} is the configuration of no architecture. {HOW}")


def build(config: FlowConfig) -> Flow:
    """Make a flow with random weights from the config of any architecture."""
    return architecture_of(config).build(config)
