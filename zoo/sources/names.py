"""Names of the zoo's models: zoo/models.json, which `flowzoo adopt` writes."""

import fnmatch
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.architectures import find_architecture
from zoo.config import FlowConfig
from zoo.documents import make, read_json
from zoo.errors import ArgumentError, UnknownModelError, WeightsError, suggest
from zoo.files import write_json
from zoo.folder import ModelFolder

PACKAGE = Path(__file__).parents[1]
FILE = PACKAGE / "models.json"
VERSION = re.compile(r"DEFAULT|V\d+")


@dataclass(frozen=True)
class Model:
    """A model of the zoo.

    Attributes:
        name: `<architecture>_<dataset>`, and `_conditional` for a flow with classes.
        architecture: Name of its architecture.
        preset: Name of its configuration there.
        dataset: Data set that it is trained on.
        sha256: Content hash of its published weights; None if there are none yet.
        version: Number of its published weights: 1, and one more each time others replace them.
    """

    name: str
    architecture: str
    preset: str
    dataset: str
    sha256: str | None = None
    version: int = 1

    @property
    def config(self) -> FlowConfig:
        """The configuration of its flow."""
        return find_architecture(self.architecture).preset(self.preset)

    @property
    def folder(self) -> ModelFolder:
        """Its files: in the installed package, or in the clone."""
        installed = PACKAGE / "model_cards" / self.name
        return ModelFolder(
            installed if installed.is_dir() else PACKAGE.parent / "model_cards" / self.name
        )

    def check_published(self) -> None:
        """Raise WeightsError if no weights are published."""
        if self.sha256 is None:
            available = ", ".join(list_models(pretrained=True))
            raise WeightsError(
                f"no weights of {self.name} are published yet. Pretrained are: {available}. "
                "pretrained=False builds it with random weights."
            )

    def check_version(self, version: str) -> None:
        """Raise UnknownModelError unless "DEFAULT" or the version of the published weights."""
        if version not in ("DEFAULT", f"V{self.version}"):
            raise UnknownModelError(
                f"{self.name} has the weights V{self.version} (DEFAULT), not {version}. Earlier "
                "ones are in earlier revisions of the repository."
            )


MODELS = {name: make(Model, {"name": name, **fields}) for name, fields in read_json(FILE).items()}


def is_published(folder: ModelFolder) -> bool:
    """Whether a folder holds the zoo's own weights of its name."""
    model = MODELS.get(folder.name)
    return model is not None and model.sha256 == folder.sha256


def list_models(pattern: str = "*", pretrained: bool = False) -> list[str]:
    """Names of the models that match a shell pattern, sorted.

    Args:
        pattern: For example "finc_*".
        pretrained: Only those with published weights.
    """
    names = fnmatch.filter(sorted(MODELS), pattern)
    return [name for name in names if MODELS[name].sha256 or not pretrained]


def find_model(name: str) -> Model:
    """The registered model of this name, or an UnknownModelError that says what to do."""
    if name in MODELS:
        return MODELS[name]
    if any(mark in name for mark in "/\\:.~"):
        raise UnknownModelError(
            f"{name!r} is no model name. For a folder write local-dir:PATH, for the Hub "
            "hf-hub:OWNER/REPO; zoo.list_models() lists the names."
        )
    raise UnknownModelError(
        f"no model {name!r}.{suggest(name, MODELS)} zoo.list_models() lists all {len(MODELS)}."
    )


def adopt(folder: ModelFolder) -> Model:
    """Make the weights of model_cards/NAME in the clone the published ones of that name.

    Writes zoo/models.json: the hash that the weights have, and the preset that they are of.

    Raises:
        ArgumentError: If the folder is elsewhere, or its configuration is no preset.
        FlowzooError: If the folder does not hold what its files claim.
    """
    name, flow = folder.name, folder.load()
    if folder.path.resolve() != PACKAGE.parent / "model_cards" / name:
        raise ArgumentError(f"{folder.path} is not model_cards/{name} of the clone that runs.")
    presets = find_architecture(folder.architecture).presets
    preset = next((key for key, config in presets.items() if config == flow.config), None)
    if preset is None:
        raise ArgumentError(f"the configuration of {name} is no preset of {folder.architecture}.")
    folder.golden.check(flow)
    version = _next_version(name, folder.sha256)
    model = Model(name, folder.architecture, preset, folder.dataset, folder.sha256, version)
    _write({**MODELS, name: model})
    return model


def _next_version(name: str, sha256: str) -> int:
    """The number of weights that are adopted now: one more if they replace others."""
    before = MODELS.get(name)
    return 1 if before is None else before.version + (before.sha256 not in (None, sha256))


def _write(models: dict[str, Model]) -> None:
    rows = {name: asdict(models[name]) for name in sorted(models)}
    for row in rows.values():
        del row["name"]
        if row["version"] == Model.version:
            del row["version"]
    write_json(FILE, rows)
