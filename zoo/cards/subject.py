"""The subject of a card: a model's folder, read and verified."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from zoo.architectures import Architecture, find_architecture
from zoo.cards.measured import check_about, check_measured
from zoo.data import DatasetFacts, facts_of
from zoo.documents import DocumentError
from zoo.errors import ConfigError, WeightsError
from zoo.flow import Flow
from zoo.folder import Golden, ModelFolder, is_identity
from zoo.folder.model_folder import CONFIG, EVALUATION
from zoo.sources import HUB
from zoo.sources.names import is_published


@dataclass(frozen=True)
class Subject:
    """A model's folder with all that a card shows of it.

    Attributes:
        folder: Its files.
        flow: Its flow, in eval mode, with verified weights.
        golden: Images and what the flow makes of them.
        evaluation: Content of eval.json, of these weights; None before an evaluation.
        repo_id: Its repository on the Hugging Face Hub, once that is known.
    """

    folder: ModelFolder
    flow: Flow
    golden: Golden
    evaluation: dict[str, Any] | None
    repo_id: str | None = None

    @classmethod
    def read(cls, folder: ModelFolder) -> "Subject":
        """Read a model's folder.

        Raises:
            ConfigError: If config.json or eval.json lacks what a card shows.
            WeightsError: If the weights, or those evaluated, are not the ones announced.
        """
        _, _, evaluation = folder.name, folder.dataset, folder.evaluation
        subject = cls(folder, folder.load(), folder.golden, evaluation)
        if evaluation is not None:
            # The oldest have no identity.
            whose = evaluation.get("identity", evaluation.get("sha256"))
            measured = {"likelihood_histogram", "hostile"} <= evaluation.keys()
            if not (measured and is_identity(whose, subject.flow)):
                raise WeightsError(
                    f"{folder.path / EVALUATION} is of other weights or an older flowzoo. Measure "
                    "these: flowzoo evaluate."
                )
        try:
            check_about(folder.config)
            if evaluation is not None:
                check_measured(evaluation)
        except DocumentError as error:
            raise ConfigError(
                f"{CONFIG} or {EVALUATION} in {folder.path} lacks what a card shows ({error}). Get "
                "the file again, or measure again: flowzoo evaluate."
            ) from error
        return subject

    @property
    def about(self) -> dict[str, Any]:
        """Content of config.json."""
        return self.folder.config

    @property
    def architecture(self) -> Architecture:
        """Its architecture."""
        return find_architecture(self.folder.architecture)

    @property
    def data(self) -> DatasetFacts:
        """Facts on its data set; its title may be the one chosen at export."""
        known = facts_of(self.folder.dataset)
        return replace(known, title=self.about.get("dataset_title") or known.title)

    @property
    def published(self) -> bool:
        """Whether these are the zoo's own weights of that name."""
        return is_published(self.folder)

    @property
    def source(self) -> str:
        """Source for `zoo.load`; OWNER stands for the account until it is published."""
        return self.folder.name if self.published else f"{HUB}{self.repository}"

    @property
    def repository(self) -> str:
        """Its repository on the Hub; OWNER stands for the account until it is known."""
        return self.repo_id or f"OWNER/{self.folder.name}"

    @property
    def stamp(self) -> dict[str, str]:
        """Stamp of the figures: hashes of the weights and of the histogram's bins."""
        histogram = (self.evaluation or {}).get("likelihood_histogram", {})
        bins = json.dumps([histogram.get(key) for key in ("edges", "sets")])
        digest = hashlib.sha256(bins.encode()).hexdigest()
        return {"weights sha256": self.folder.sha256, "histogram sha256": digest}
