"""Kinds of sources of models: one class a kind, and the word that names each."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from zoo.architectures import build
from zoo.errors import ArgumentError, WeightsError
from zoo.files import user_path
from zoo.flow import Flow
from zoo.folder import ModelFolder
from zoo.sources import hub
from zoo.sources.hub import HUB, Access, Repository
from zoo.sources.names import Model, find_model

LOCAL = "local-dir:"
DEFAULT = Access()


class Source(ABC):
    """Source of a model; `str` gives the words that `zoo.load` takes."""

    @abstractmethod
    def folder(self) -> ModelFolder:
        """The model's folder; of the Hub, in its cache."""

    def pin(self) -> "Source":
        """The source as it can be loaded from anywhere later: a full path, or a commit."""
        return self

    def load(self) -> Flow:
        """Load the flow in eval mode."""
        return self.folder().load()

    def own_folder(self) -> ModelFolder:
        """The folder, to write into."""
        return self.folder()


@dataclass(frozen=True)
class Name(Source):
    """A model of the zoo."""

    model: Model

    def __str__(self) -> str:
        return self.model.name

    def folder(self) -> ModelFolder:
        return self.model.folder

    def load(self) -> Flow:
        self.model.check_published()
        flow = self.folder().load(sha256=self.model.sha256)
        if flow.config != self.model.config:
            raise WeightsError(f"config.json of {self} is not the published one. Get it again.")
        return flow

    def build(self) -> Flow:
        """Its flow with random weights, in eval mode."""
        return build(self.model.config).eval()


@dataclass(frozen=True)
class LocalDir(Source):
    """A model's folder on this machine."""

    path: str

    def __str__(self) -> str:
        return f"{LOCAL}{self.path}"

    def folder(self) -> ModelFolder:
        return ModelFolder(user_path(self.path).resolve())

    def pin(self) -> "LocalDir":
        return LocalDir(str(self.folder().path))


@dataclass(frozen=True)
class HubRepo(Source):
    """A repository of the Hugging Face Hub."""

    repository: Repository
    access: Access = DEFAULT

    def __str__(self) -> str:
        return f"{HUB}{self.repository}"

    def folder(self) -> ModelFolder:
        return hub.pull(self.repository, self.access)

    def pin(self) -> "HubRepo":
        return HubRepo(hub.at_commit(self.repository, self.folder()), self.access)

    def load(self) -> Flow:
        return hub.load(self.repository, self.access)

    def own_folder(self) -> ModelFolder:
        raise ArgumentError(
            f"the files of {self} are a cache. Fetch your own, hf download OWNER/REPO --local-dir "
            "DIR, and name them local-dir:DIR; or write elsewhere, evaluate --out FILE."
        )


def parse(source: str, access: Access = DEFAULT) -> Source:
    """The source that the words of `zoo.load` name; of the Hub, got as `access` says.

    Raises:
        UnknownModelError: If they name none.
        ArgumentError: If they are no string.
    """
    if not isinstance(source, str):
        raise ArgumentError(f'a source is a string; for a folder write "{LOCAL}{source}".')
    if source.startswith(LOCAL):
        return LocalDir(source.removeprefix(LOCAL))
    if source.startswith(HUB):
        return HubRepo(Repository.parse(source), access)
    return Name(find_model(source))
