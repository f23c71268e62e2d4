"""Names of models, and how a name or another source becomes a flow."""

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zoo import hub
from zoo.architectures import build, find_architecture
from zoo.architectures.config import FlowConfig
from zoo.devices import find_device
from zoo.errors import ArgumentError, UnknownModelError, WeightsError
from zoo.flow import Flow
from zoo.suggest import suggest
from zoo.weights import load_folder

LOCAL = "local-dir:"


@dataclass(frozen=True)
class Model:
    """A model of the zoo.

    Attributes:
        name: `<architecture>_<dataset>`.
        architecture: Name of its architecture.
        preset: Name of its configuration there.
        dataset: What it is trained on.
        sha256: Content hash of its published weights; None if there are none yet.
    """

    name: str
    architecture: str
    preset: str
    dataset: str
    sha256: str | None = None

    @property
    def config(self) -> FlowConfig:
        """The configuration of its flow."""
        return find_architecture(self.architecture).preset(self.preset)


def _unique(models: Iterable[Model]) -> dict[str, Model]:
    table: dict[str, Model] = {}
    for model in models:
        if model.name in table:
            raise ValueError(f"two models are named {model.name!r}")
        table[model.name] = model
    return table


MODELS = _unique(
    (
        Model("cinc_cifar10", "cinc", "compact_cifar10", "cifar10"),
        Model("cinc_fashion_mnist", "cinc", "compact_mnist", "fashion_mnist"),
        Model(
            "cinc_mnist",
            "cinc",
            "compact_mnist_free",
            "mnist",
            "61fc6bf2a4810ffb17756b001992a8b69f7bc459d1eff69a2232277522c5b44b",
        ),
        Model("cinc_quad_cifar10", "cinc_quad", "compact_cifar10", "cifar10"),
        Model("cinc_quad_fashion_mnist", "cinc_quad", "compact_mnist", "fashion_mnist"),
        Model(
            "cinc_quad_mnist",
            "cinc_quad",
            "compact_mnist_free",
            "mnist",
            "ba2f469447349bbc8b3075cb1cfd8231ddcf4f9fb4fe4295ab4025b1000cfbcb",
        ),
        Model("conf_cifar10", "conf", "compact_cifar10", "cifar10"),
        Model("conf_fashion_mnist", "conf", "compact_mnist", "fashion_mnist"),
        Model(
            "conf_mnist",
            "conf",
            "compact_mnist_free",
            "mnist",
            "d4a5cdbe51bc7d92e09ffd14481fe890728ae155042273da248ce36c7e1092e1",
        ),
        Model("emerging_cifar10", "emerging", "compact_cifar10", "cifar10"),
        Model("emerging_fashion_mnist", "emerging", "compact_mnist", "fashion_mnist"),
        Model("emerging_mnist", "emerging", "compact_mnist", "mnist"),
        Model(
            "finc_cifar10",
            "finc",
            "compact_cifar10",
            "cifar10",
            "10d322c661f84f595269313dbff96a568f72264995841e6501fe7101d9cc7d17",
        ),
        Model("finc_fashion_mnist", "finc", "compact_mnist", "fashion_mnist"),
        Model(
            "finc_mnist",
            "finc",
            "compact_mnist_free",
            "mnist",
            "45d8937f4fd9afb8b999c7922ed05b4744656dc746a6fee5ac3cdba0be172489",
        ),
        Model("glow_cifar10", "glow", "compact_cifar10", "cifar10"),
        Model("glow_fashion_mnist", "glow", "compact_mnist", "fashion_mnist"),
        Model("glow_mnist", "glow", "compact_mnist", "mnist"),
    )
)


def list_models(pattern: str = "*", pretrained: bool = False) -> list[str]:
    """Names of the models that match a shell pattern, sorted.

    Args:
        pattern: For example "finc_*".
        pretrained: Only those with published weights.
    """
    names = fnmatch.filter(sorted(MODELS), pattern)
    return [name for name in names if MODELS[name].sha256 or not pretrained]


def load(
    source: str,
    *,
    pretrained: bool = True,
    device: str | torch.device = "cpu",
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
) -> Flow:
    """Load a flow in eval mode.

    Args:
        source: A name of `list_models()`; "hf-hub:OWNER/REPO@REVISION", a repository of the
            Hugging Face Hub; or "local-dir:PATH", a folder with config.json and model.safetensors
            as `flowzoo export` writes it.
        pretrained: False builds the named model with random weights.
        device: Where the flow will be, such as "cuda"; "auto" is a GPU if there is one.
        local_files_only: Of the Hub, take only what is in the cache.
        cache_dir: Of the Hub's files; default: what HF_HOME and HF_HUB_CACHE say.
        token: Of the Hub; default: HF_TOKEN, or that of `hf auth login`; False sends none.

    Raises:
        UnknownModelError: For a name that is not registered, or a path without a scheme.
        ArgumentError: For a folder or a repository with pretrained=False, no string, or a device
            that torch cannot use.
        WeightsError: If no weights are published, or they are missing, damaged or tampered with.
        HubError: If the Hub does not have the files, refuses them, or cannot be reached.
        ConfigError: If config.json describes no flow of this version, or an absurdly large one.
    """
    if not isinstance(source, str):
        raise ArgumentError(f'a source is a string; for a folder write "{LOCAL}{source}".')
    options = {"local_files_only": local_files_only, "cache_dir": cache_dir, "token": token}
    place = find_device(device)  # before anything is fetched
    return _load(source, pretrained, options).to(place)


def _load(source: str, pretrained: bool, options: dict[str, Any]) -> Flow:
    if not pretrained and source.startswith((LOCAL, hub.HUB)):
        raise ArgumentError(f"{source} holds weights; pretrained=False goes with names only.")
    if source.startswith(LOCAL):
        return load_folder(folder_of(source))
    if source.startswith(hub.HUB):
        return hub.load(source, **options)
    model = find_model(source)
    if not pretrained:
        return build(model.config).eval()
    if model.sha256 is None:
        available = ", ".join(list_models(pretrained=True))
        raise WeightsError(
            f"no weights of {source} are published yet. Pretrained are: {available}. "
            "pretrained=False builds it with random weights."
        )
    flow = load_folder(folder_of(source), sha256=model.sha256)
    if flow.config != model.config:
        raise WeightsError(f"config.json of {source} is not the published one. Get it again.")
    return flow


def load_architecture(architecture: str, source: str, **options: Any) -> Flow:
    """Load a flow that must be of an architecture; options as for `load`."""
    flow = load(source, **options)
    if type(flow.config) is not find_architecture(architecture).config_class:
        raise WeightsError(f"{source} is no {architecture}. zoo.load({source!r}) loads it.")
    return flow


def load_model(name: str, source: str, **options: Any) -> Flow:
    """Load a flow that must have the configuration of a model of the zoo; options as for `load`."""
    model = find_model(name)
    flow = load_architecture(model.architecture, source, **options)
    if flow.config != model.config:
        raise WeightsError(
            f"{source} has another configuration than {name}. zoo.load({source!r}) loads it."
        )
    return flow


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


def folder_of(source: str) -> Path:
    """Folder of a source's files: its own, the Hub's cache, the installed package or the clone."""
    if source.startswith(LOCAL):
        return Path(source.removeprefix(LOCAL)).expanduser().resolve()
    if source.startswith(hub.HUB):
        return hub.pull(source)
    name = find_model(source).name
    package = Path(__file__).parent
    installed = package / "model_cards" / name
    return installed if installed.is_dir() else package.parent / "model_cards" / name


def pin(source: str, **options: Any) -> str:
    """The source as it can be loaded from anywhere later: a full path, a commit, or the name.

    Args:
        source: As for `load`.
        **options: Of `load`, for a source on the Hub.
    """
    if source.startswith(LOCAL):
        return f"{LOCAL}{folder_of(source)}"
    return hub.pin(source, **options) if source.startswith(hub.HUB) else source
