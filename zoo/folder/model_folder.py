"""A model's folder: the names of its files, and how each is read, verified and written."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors.torch import save

from zoo.architectures import config_from_json, config_to_json
from zoo.documents import DocumentError, content_hash, read_json, read_text
from zoo.errors import ArgumentError, ConfigError, DamagedError, WeightsError
from zoo.files import write_atomically, write_json
from zoo.flow import Flow
from zoo.folder.golden import Golden
from zoo.folder.swap import hidden, left_aside, swap, tidy
from zoo.folder.weights import identity_of, make_flow, read_weights

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
GOLDEN = "golden.safetensors"
EVALUATION = "eval.json"
RECIPE = "recipe.yaml"
NOTES = "notes.md"
CARD = "README.md"
NOTEBOOK = "notebook.ipynb"
FIGURES = (
    "samples.png",
    "reconstructions.png",
    "interpolation.png",
    "resampling.png",
    "architecture.png",
    "histogram.png",
)
# All that a model's folder may hold of ours. Nothing else is uploaded, or replaced.
FILES = (CARD, NOTEBOOK, CONFIG, WEIGHTS, GOLDEN, EVALUATION, RECIPE, NOTES, *FIGURES)
MOST_CONFIG = 2**20  # bytes
NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
# Entries of config.json that say what the flow is; the others are about it.
OF_THE_FLOW = ("schema_version", "architecture", "flow", "sha256")


def check_name(name: str) -> str:
    """The name, if it can be that of a model, its folder and its repository on the Hub."""
    if not NAME.fullmatch(name) or ".." in name:
        raise ArgumentError(
            f"{name!r} is no name of a model: letters, digits, and . _ - between them. Choose one "
            "with --name."
        )
    return name


@dataclass(frozen=True)
class ModelFolder:
    """A model's folder; each file is read when it is asked for.

    Attributes:
        path: Path of the folder.
    """

    path: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of config.json.

        Raises:
            WeightsError: If there is none.
            ConfigError: If it cannot be read.
        """
        path = self.path / CONFIG
        try:
            return read_json(path, most=MOST_CONFIG)
        except FileNotFoundError as error:
            left = left_aside(self.path)
            raise WeightsError(
                f"there is no {CONFIG} in {self.path}; it is not a model's folder."
                + (f" An export was killed: rename {left} to bring it back." if left else "")
            ) from error
        except (OSError, DocumentError) as error:
            raise ConfigError(f"{path} cannot be read: {error}. Get the file again.") from error

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._entry("name")

    @property
    def dataset(self) -> str:
        """Name of the data set that it was trained on."""
        return self._entry("dataset")

    def _entry(self, key: str) -> str:
        value = self.config.get(key)
        if not isinstance(value, str):
            raise ConfigError(
                f"{self.path / CONFIG} lacks a name or a dataset. Write both into it."
            )
        return value

    @property
    def architecture(self) -> str:
        """Name of its architecture."""
        return str(self.config["architecture"])

    @property
    def sha256(self) -> str:
        """Content hash of the weights, as config.json announces it."""
        return str(self.config["sha256"])

    def load(self, *, sha256: str | None = None, name: str | None = None) -> Flow:
        """Load the flow in eval mode.

        Args:
            sha256: Content hash that the weights must have besides the one in config.json.
            name: Name of the flow as the parent of others; default: the one in config.json.

        Raises:
            WeightsError: If a file is missing, or the weights are another model's.
            DamagedError: If the weights are damaged or not the ones announced.
            ConfigError: If config.json describes no model of this version.
        """
        document, path = self.config, self.path / WEIGHTS
        config = config_from_json(document)
        tensors = read_weights(path)
        found = content_hash(tensors)
        for announced in (document.get("sha256"), found if sha256 is None else sha256):
            if found != announced:
                raise DamagedError(
                    f"{path} does not hold the announced weights: their sha256 is {found}, "
                    f"announced is {announced}. Get the files again."
                )
        flow = make_flow(config, tensors, path)
        flow.origin = {
            "name": name or str(document.get("name", self.path.name)),
            "sha256": found,
            "identity": identity_of(config, found),
        }
        flow.about = {key: value for key, value in document.items() if key not in OF_THE_FLOW}
        return flow

    @property
    def golden(self) -> Golden:
        """Images with what the flow makes of them."""
        return Golden.load(self.path / GOLDEN)

    @property
    def evaluation(self) -> dict[str, Any] | None:
        """The content of eval.json, or None if the model was not evaluated."""
        path = self.path / EVALUATION
        try:
            return read_json(path)
        except FileNotFoundError:
            return None
        except (OSError, DocumentError) as error:
            raise ConfigError(
                f"{path} cannot be read: {error}. Measure again: flowzoo evaluate."
            ) from error

    def text(self, name: str) -> str | None:
        """The content of the text file of this name, or None if there is none."""
        path = self.path / name
        return read_text(path) if path.is_file() else None

    def present(self) -> dict[str, Path]:
        """The model's files that are there, by name."""
        paths = {name: self.path / name for name in FILES}
        return {name: path for name, path in paths.items() if path.is_file()}

    # Writing.

    def write(self, flow: Flow, about: Mapping[str, Any] | None = None) -> str:
        """Write config.json and model.safetensors; return the content hash.

        Args:
            flow: Its weights are saved as they are.
            about: Further entries of config.json, such as name and dataset.
        """
        tensors = {name: tensor.contiguous() for name, tensor in flow.state_dict().items()}
        sha256 = content_hash(tensors)
        write_atomically(self.path / WEIGHTS, save(tensors))
        self.write_config({**config_to_json(flow.config), **(about or {}), "sha256": sha256})
        return sha256

    def write_golden(self, golden: Golden) -> None:
        """Write golden.safetensors."""
        golden.save(self.path / GOLDEN)

    def write_evaluation(self, document: Mapping[str, Any]) -> Path:
        """Write a document as eval.json; return its path."""
        path = self.path / EVALUATION
        write_json(path, dict(document))
        return path

    def write_config(self, document: Mapping[str, Any]) -> None:
        """Write a document as config.json."""
        write_json(self.path / CONFIG, dict(document))
        self.__dict__.pop("config", None)

    def write_text(self, name: str, text: str) -> None:
        """Write a text as the file of this name, such as the card."""
        write_atomically(self.path / name, text.encode())

    @contextmanager
    def replacing(self) -> Iterator["ModelFolder"]:
        """Give a folder to write a model into, which takes this one's place once it is whole.

        Notes and files that are none of a model's are kept.

        Raises:
            ArgumentError: If this path is taken by anything but a model's folder.
        """
        path = Path(os.path.realpath(self.path))
        tidy(path)
        self._check_ours()
        aside = ModelFolder(hidden(path, "new"))
        aside.path.mkdir(parents=True)
        try:
            yield aside
            swap(aside.path, path, {*FILES} - {NOTES})
        finally:
            shutil.rmtree(aside.path, ignore_errors=True)

    def _check_ours(self) -> None:
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        if not (self.path / CONFIG).is_file() or not set(OF_THE_FLOW) <= set(self.config):
            raise ArgumentError(f"{self.path} is no model's folder. Choose another place or name.")
