"""Weights in torchvision's terms: facts, address and transforms."""

import importlib
import re
from dataclasses import dataclass
from typing import Any

from huggingface_hub import hf_hub_url

from zoo.architectures import config_from_json
from zoo.cards.facts import GITHUB
from zoo.cards.front_matter import METRICS
from zoo.folder import ModelFolder
from zoo.folder.model_folder import WEIGHTS
from zoo.pictures.transforms import Preprocess
from zoo.sources import parse
from zoo.sources.source import HubRepo, Name, Source

VERSIONED = re.compile(r"(\w+)\.(DEFAULT|V\d+)")


@dataclass(frozen=True)
class Weights:
    """Weights of a model; `str` gives what `get_weights` takes.

    Attributes:
        source: Source of the model, pinned.
    """

    source: Source

    def __str__(self) -> str:
        model = self.source
        return f"{model}.V{model.model.version}" if isinstance(model, Name) else str(model)

    @property
    def meta(self) -> dict[str, Any]:
        """Facts on the weights.

        Name, data set and whatever else `config.json` says, "num_params", and "metrics": the
        numbers of `eval.json` that the card puts first, none before an evaluation.
        """
        measured = self._folder.evaluation or {}
        known = {key: measured[key] for key in METRICS if key in measured}
        count = sum(p.numel() for p in self.source.load().parameters())
        return {**self._folder.config, "num_params": count, "metrics": known}

    @property
    def url(self) -> str:
        """Address of model.safetensors: of the release on GitHub, on the Hub, or a file's."""
        match self.source:
            case Name(model):
                version = importlib.import_module("zoo").__version__  # which imports this file
                tree = f"https://github.com/{GITHUB}/raw/v{version}"
                return f"{tree}/model_cards/{model.name}/{WEIGHTS}"
            case HubRepo(repository):
                return hf_hub_url(repository.repo_id, WEIGHTS, revision=repository.revision)
        return (self._folder.path / WEIGHTS).as_uri()

    def transforms(self) -> Preprocess:
        """A function from pictures or image files to uint8 (B, C, H, W) of the flow's own size."""
        config = config_from_json(self._folder.config)
        return Preprocess(config.channels, config.size)

    @property
    def _folder(self) -> ModelFolder:
        return self.source.folder()


def get_weights(name: str) -> Weights:
    """Look up the weights of a model.

    Args:
        name: What `zoo.load` takes, such as "finc_mnist"; or that name with the version that the
            weights must have, "finc_mnist.V1".

    Raises:
        UnknownModelError: If there is no such model, or its weights are of another version.
        WeightsError: If none are published.
        HubError: If the Hub does not have them, refuses them, or cannot be reached.
    """
    match = VERSIONED.fullmatch(name) if isinstance(name, str) else None
    source = parse(match[1] if match else name)
    if isinstance(source, Name):
        source.model.check_published()
        if match:
            source.model.check_version(match[2])
    return Weights(source.pin())
