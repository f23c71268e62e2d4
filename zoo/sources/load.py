"""`zoo.load`: any source to a flow that is ready to use."""

from pathlib import Path
from typing import Any

import torch

from zoo.architectures import find_architecture
from zoo.devices import find_device
from zoo.errors import ArgumentError, WeightsError
from zoo.flow import Flow
from zoo.sources.hub import Access
from zoo.sources.names import VERSION, find_model
from zoo.sources.source import Name, parse


def load(
    source: str,
    *,
    pretrained: bool = True,
    device: str | torch.device | None = None,
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
        device: Device of the flow, such as "cuda"; "auto" is a GPU if there is one. Default:
            torch's default device.
        local_files_only: Take files of the Hub from the cache only.
        cache_dir: Cache of the Hub's files; default: what HF_HOME and HF_HUB_CACHE say.
        token: Token of the Hub; default: HF_TOKEN, or that of `hf auth login`; False sends none.

    Raises:
        UnknownModelError: For a name that is not registered, or a path without a scheme.
        ArgumentError: For a folder or a repository with pretrained=False, no string, or a device
            that torch cannot use.
        WeightsError: If no weights are published, or they are missing, damaged or tampered with.
        HubError: If the Hub does not have the files, refuses them, or cannot be reached.
        ConfigError: If config.json describes no flow of this version, or an absurdly large one.
    """
    place = None if device is None else find_device(device)  # before anything is fetched
    found = parse(source, Access(local_files_only, cache_dir, token))
    if pretrained:
        flow = found.load()
    elif isinstance(found, Name):
        flow = found.build()
    else:
        raise ArgumentError(f"{source} holds weights; pretrained=False goes with names only.")
    return flow if place is None else flow.to(place)


def load_architecture(architecture: str, source: str, **options: Any) -> Flow:
    """Load a flow that must be of an architecture; options as for `load`."""
    flow = load(source, **options)
    if type(flow.config) is not find_architecture(architecture).config_class:
        raise WeightsError(f"{source} is no {architecture}. zoo.load({source!r}) loads it.")
    return flow


def load_model(name: str, source: str, **options: Any) -> Flow:
    """Load weights of a model of the zoo; options as for `load`.

    Args:
        name: Name of the model.
        source: "DEFAULT" or a version such as "V1" of the published weights; or a source whose
            flow must have the same configuration.
        **options: As for `load`.
    """
    model = find_model(name)
    if isinstance(source, str) and VERSION.fullmatch(source):
        model.check_version(source)
        return load(name, **options)
    flow = load_architecture(model.architecture, source, **options)
    if flow.config != model.config:
        raise WeightsError(
            f"{source} has another configuration than {name}. zoo.load({source!r}) loads it."
        )
    return flow
