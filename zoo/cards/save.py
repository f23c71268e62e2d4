"""A flow in memory as a whole model's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.cards.card import write_card
from zoo.cards.licences import check_licence
from zoo.errors import ArgumentError
from zoo.files import user_path
from zoo.flow import Flow
from zoo.folder import ModelFolder, is_identity, make_golden
from zoo.folder.model_folder import RECIPE, check_name


def save_flow(
    flow: Flow,
    folder: str | Path,
    *,
    name: str | None = None,
    dataset: str | None = None,
    license: str | None = None,
    recipe: str | None = None,
    natural: Tensor | None = None,
    about: Mapping[str, Any] | None = None,
) -> ModelFolder:
    """Write config, weights, golden tensors and card; see `Flow.save`.

    Args:
        flow: In any mode; its weights are saved as they are.
        folder: A new one, or a model's.
        name: Name of the model; default: that of the folder.
        dataset: Data set that it was trained on; default: that of weights as they were loaded.
        license: Licence of the weights.
        recipe: Text of recipe.yaml.
        natural: Images to show, uint8 (N, C, H, W), that may be passed on.
        about: Further entries of config.json.

    Raises:
        ArgumentError: If the place is taken, the licence unknown, the weights not float32, or the
            data set no text.
    """
    if flow.dtype != torch.float32:
        raise ArgumentError(f"weights are saved in float32, these are {flow.dtype}: flow.float().")
    path, kept = user_path(folder), _kept(flow)
    dataset = kept.get("dataset") if dataset is None else dataset
    if not isinstance(dataset, str):
        raise ArgumentError(f"dataset is the name of a data set, or a title; got {dataset!r}.")
    entries = {
        **kept,
        "name": check_name(name or path.resolve().name),
        "dataset": dataset,
        **({} if license is None else {"license": check_licence(license)}),
        **(about or {}),
    }
    with ModelFolder(path).replacing() as aside:
        aside.write(flow, entries)
        aside.write_golden(make_golden(flow, natural))
        if recipe is not None:
            aside.write_text(RECIPE, recipe)
        write_card(aside)
    return ModelFolder(path)


def _kept(flow: Flow) -> dict[str, Any]:
    """Entries of config.json to keep; of changed weights only the parent."""
    if not flow.origin:
        return {}
    same = is_identity(flow.origin["identity"], flow)
    return dict(flow.about) if same else {"parent": flow.origin}
