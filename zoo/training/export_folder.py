"""A checkpoint's flow as a model's folder."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.architectures import config_from_json
from zoo.cards import save_flow
from zoo.data import facts_of, load_images
from zoo.documents import read_text
from zoo.errors import ArgumentError, FlowzooError, ImageError, WeightsError
from zoo.flow import Flow
from zoo.folder import ModelFolder
from zoo.folder.model_folder import check_name
from zoo.folder.weights import make_flow
from zoo.images import spread_levels
from zoo.pictures.transforms import Preprocess
from zoo.training.checkpoints import read_checkpoint

GOLDEN_IMAGES = 16
INCLUDED = "test images, included by their owner"


def load_checkpoint(path: Path) -> tuple[Flow, dict[str, Any]]:
    """The flow of a training checkpoint, in eval mode, with averaged weights if it has them."""
    prefix = "flow."
    checkpoint = read_checkpoint(path)
    try:
        config = config_from_json(checkpoint["flow_config"])
        state = {
            name.removeprefix(prefix): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith(prefix)
        }
        return make_flow(config, state, path), checkpoint
    except (KeyError, FlowzooError) as error:
        raise WeightsError(f"{path} is not a checkpoint of flowzoo train: {error!r}") from error


def export(
    checkpoint: Path,
    parent: Path,
    *,
    name: str | None = None,
    recipe: Path | None = None,
    data_dir: Path | None = None,
    dataset_title: str | None = None,
    pictures: Path | None = None,
    pictures_licence: str | None = None,
    include_images: bool = False,
) -> ModelFolder:
    """Write a checkpoint's flow as a model's folder, in place of one of that name.

    Figures and an evaluation of weights that were there before are removed.

    Args:
        checkpoint: File of `flowzoo train`.
        parent: The model's folder is created here.
        name: Name of the model and its folder; <architecture>_<dataset> if not given.
        recipe: Recipe that it was trained from, if it is not the one kept in the checkpoint.
        data_dir: Raw files; the golden tensors then hold test images of the data set, if its
            licence lets them be passed on.
        dataset_title: Title of the data set on the card, such as one's own folder of images.
        pictures: Folder of image files; the golden tensors then hold these instead, each cut to
            the flow's shape and made as small as its images.
        pictures_licence: Their owner and licence, for the card.
        include_images: Whether the test images of the data directory are the user's, to pass on.

    Returns:
        The model's folder.
    """
    flow, saved = load_checkpoint(checkpoint)
    dataset = str(saved["datamodule_hyper_parameters"]["name"])
    levels = saved.get("finetune", {}).get("grey_levels")
    if (pictures is None) != (not pictures_licence):
        raise ArgumentError(
            "pictures to show need their owner and licence, and these need pictures: pass both "
            "--pictures and --pictures-licence."
        )
    natural = _natural(flow, dataset, levels, data_dir, pictures, include_images)
    text = read_text(recipe) if recipe else saved.get("recipe")
    if not text:
        raise WeightsError(f"{checkpoint} holds no recipe. Name it with --recipe.")
    about = {
        "step": saved["global_step"],
        "dataset_title": dataset_title,
        "parent": saved.get("parent"),
        "pictures": pictures_licence or (INCLUDED if include_images else None),
        "grey_levels": levels,
        "class_names": saved.get("class_names"),
    }
    name = name or f"{saved['flow_config']['architecture']}_{dataset}"
    return save_flow(
        flow,
        parent / check_name(name),
        dataset=dataset,
        recipe=text,
        natural=natural,
        about={key: value for key, value in about.items() if value},
    )


def _natural(
    flow: Flow,
    dataset: str,
    levels: int | None,
    data_dir: Path | None,
    pictures: Path | None,
    include_images: bool,
) -> Tensor | None:
    """The natural images of the golden tensors: pictures, or test images that may be passed on."""
    if pictures is not None:
        return _thumbnails(pictures, flow)
    if include_images and data_dir is None:
        raise ArgumentError("--include-images takes test images: name their folder, --data-dir.")
    if data_dir is None or not (include_images or facts_of(dataset).licence):
        return None
    size, channels = flow.config.size, flow.config.channels
    images = load_images(dataset, data_dir, "test", size=size, channels=channels)
    chosen = torch.linspace(0, len(images) - 1, min(GOLDEN_IMAGES, len(images))).long()
    first = slice(GOLDEN_IMAGES) if facts_of(dataset).licence else chosen
    return spread_levels(images[first].clone(), levels)


def _thumbnails(folder: Path, flow: Flow) -> Tensor:
    """The first pictures of a folder, as images of the flow."""
    files = sorted(path for path in folder.glob("*") if path.is_file())
    if not files:
        raise ImageError(f"{folder} holds no pictures.")
    return Preprocess(flow.config.channels, flow.config.size)(files[:GOLDEN_IMAGES])
