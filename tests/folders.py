"""Models' folders, as tests look at them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import cards, publish
from zoo.cards.subject import Subject
from zoo.flow import Flow
from zoo.folder import Golden, ModelFolder
from zoo.sources import MODELS
from zoo.training import export_folder

# A model without weights, for tests that use the fixture `unpublished`.
UNPUBLISHED = "glow_new"


def folder_of(name: str) -> Path:
    """Folder of a model of the zoo."""
    return MODELS[name].folder.path


def read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json."""
    return ModelFolder(folder).config


def read_golden(folder: Path) -> Golden:
    """The content of golden.safetensors."""
    return ModelFolder(folder).golden


def save_folder(flow: Flow, folder: Path, about: Mapping[str, Any] | None = None) -> str:
    """Write config.json and model.safetensors; return the content hash."""
    return ModelFolder(folder).write(flow, about)


def save_golden(golden: Golden, folder: Path) -> None:
    """Write golden.safetensors."""
    ModelFolder(folder).write_golden(golden)


def read_subject(folder: Path) -> Subject:
    """Subject of a card."""
    return Subject.read(ModelFolder(folder))


def write_card(folder: Path) -> None:
    """Write the card."""
    cards.write_card(ModelFolder(folder))


def render_card(folder: Path) -> str:
    """The card as it should be."""
    return cards.render_card(ModelFolder(folder))


def validate(folder: Path) -> None:
    """Raise unless the folder can be published."""
    publish.validate(ModelFolder(folder))


def usage(pinned: str, folder: Path) -> str:
    """The lines to paste."""
    return publish.usage(pinned, ModelFolder(folder))


def export(*arguments: Any, **options: Any) -> Path:
    """Export a checkpoint; its folder."""
    return export_folder.export(*arguments, **options).path
