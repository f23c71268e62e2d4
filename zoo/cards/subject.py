"""What a card is about: a model's folder, read and verified."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.cards.facts import Dataset, dataset_of
from zoo.errors import WeightsError
from zoo.flow import Flow
from zoo.folder.golden import Golden
from zoo.folder.record import EVALUATION, read_evaluation, read_named_config
from zoo.folder.weights import load_folder
from zoo.sources.hub import HUB
from zoo.sources.names import MODELS

RECIPE = "recipe.yaml"
NOTES = "notes.md"


@dataclass(frozen=True)
class Subject:
    """A model's folder.

    Attributes:
        folder: Where it is.
        config: Content of config.json.
        flow: Its flow, in eval mode, with verified weights.
        golden: Images and what the flow makes of them.
        evaluation: Content of eval.json, of these weights; None before an evaluation.
        repo_id: Where it is published on the Hugging Face Hub, once that is known.
    """

    folder: Path
    config: dict[str, Any]
    flow: Flow
    golden: Golden
    evaluation: dict[str, Any] | None
    repo_id: str | None = None

    @classmethod
    def read(cls, folder: Path) -> "Subject":
        """Read a model's folder.

        Raises:
            ConfigError: If config.json lacks a name or a data set, or eval.json is damaged.
            WeightsError: If the weights, or those evaluated, are not the ones announced.
        """
        config, evaluation = read_named_config(folder), read_evaluation(folder)
        subject = cls(folder, config, load_folder(folder), Golden.load(folder), evaluation)
        if evaluation is not None and not subject.owns(evaluation):
            raise WeightsError(
                f"{folder / EVALUATION} is of other weights or an older flowzoo. Measure these: "
                "flowzoo evaluate."
            )
        return subject

    def owns(self, evaluation: dict[str, Any]) -> bool:
        """Whether an evaluation is of these weights and has what figures are drawn from."""
        measured = {"likelihood_histogram", "hostile"} <= evaluation.keys()
        return measured and evaluation.get("sha256") == self.sha256

    @property
    def name(self) -> str:
        """Of the model."""
        return str(self.config["name"])

    @property
    def architecture(self) -> str:
        """Name of its architecture."""
        return str(self.config["architecture"])

    @property
    def dataset(self) -> str:
        """Name of the data set it was trained on."""
        return str(self.config["dataset"])

    @property
    def data(self) -> Dataset:
        """What is known of that data set; its title may be the one chosen at export."""
        known = dataset_of(self.dataset)
        return replace(known, title=self.config.get("dataset_title") or known.title)

    @property
    def sha256(self) -> str:
        """Content hash of the weights."""
        return str(self.config["sha256"])

    @property
    def published(self) -> bool:
        """Whether these are the zoo's own weights of that name."""
        return self.name in MODELS and MODELS[self.name].sha256 == self.sha256

    @property
    def source(self) -> str:
        """What `zoo.load` takes; OWNER stands for the account until it is published."""
        return self.name if self.published else f"{HUB}{self.repo_id or f'OWNER/{self.name}'}"

    @property
    def recipe(self) -> str | None:
        """What it was trained from, if that is known."""
        return self._read(RECIPE)

    @property
    def notes(self) -> str | None:
        """What its authors have to say of it, in Markdown, if anything."""
        return self._read(NOTES)

    def _read(self, name: str) -> str | None:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.is_file() else None

    @property
    def stamp(self) -> dict[str, str]:
        """What the figures are drawn from: hashes of the weights and of the histogram's bins."""
        histogram = (self.evaluation or {}).get("likelihood_histogram", {})
        bins = json.dumps([histogram.get(key) for key in ("edges", "sets")])
        digest = hashlib.sha256(bins.encode()).hexdigest()
        return {"weights sha256": self.sha256, "histogram sha256": digest}
