"""A checkpoint's flow as a model's folder."""

from pathlib import Path
from typing import Any

from zoo.architectures import build, config_from_json
from zoo.cards import CARD, FIGURES
from zoo.cards.facts import dataset_of
from zoo.cards.subject import RECIPE
from zoo.data import load_images
from zoo.errors import ArgumentError, WeightsError
from zoo.files import write_atomically
from zoo.flow import Flow
from zoo.folder.golden import make_golden
from zoo.folder.record import EVALUATION
from zoo.folder.weights import save_folder
from zoo.images import spread_levels
from zoo.pictures import read_thumbnails
from zoo.training.checkpoints import read_checkpoint

GOLDEN_IMAGES = 16


def load_checkpoint(path: Path) -> tuple[Flow, dict[str, Any]]:
    """The flow of a training checkpoint, in eval mode, with averaged weights if it has them."""
    prefix = "flow."
    checkpoint = read_checkpoint(path)
    try:
        flow = build(config_from_json(checkpoint["flow_config"]))
        state = {
            name.removeprefix(prefix): value
            for name, value in checkpoint["state_dict"].items()
            if name.startswith(prefix)
        }
        flow.load_state_dict(state)
    except Exception as error:
        raise WeightsError(f"{path} is not a checkpoint of flowzoo train: {error!r}") from error
    return flow.eval(), checkpoint


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
) -> Path:
    """Write config.json, model.safetensors, golden.safetensors and recipe.yaml.

    A card, figures and an evaluation of weights that were there before are removed.

    Args:
        checkpoint: File of `flowzoo train`.
        parent: The model's folder is created here.
        name: Of the model and its folder; <architecture>_<dataset> if not given.
        recipe: What it was trained from, if it is not the recipe kept in the checkpoint.
        data_dir: Raw files; the golden tensors then hold test images of the data set, if its
            licence lets them be passed on.
        dataset_title: What the card calls the data set, such as one's own folder of images.
        pictures: Folder of image files; the golden tensors then hold these instead, each cut to
            the flow's shape and made as small as its images.
        pictures_licence: Whose they are and under which licence, for the card.

    Returns:
        The model's folder.
    """
    flow, saved = load_checkpoint(checkpoint)
    dataset = saved["datamodule_hyper_parameters"]["name"]
    name = name or f"{saved['flow_config']['architecture']}_{dataset}"
    if Path(name).name != name or set(name) & set("\\:"):
        raise WeightsError(f"{name!r} is no name of a folder. Choose one with --name.")
    folder = parent / name
    levels = saved.get("finetune", {}).get("grey_levels")
    natural = None
    if pictures is not None:
        if not pictures_licence:
            raise ArgumentError("say whose the pictures are, and their licence: --pictures-licence")
        natural = read_thumbnails(pictures, flow)[:GOLDEN_IMAGES]
    elif data_dir is not None and dataset_of(dataset).licence:
        natural = spread_levels(load_images(dataset, data_dir, "test")[:GOLDEN_IMAGES], levels)
    about = {"name": name, "dataset": dataset, "step": saved["global_step"]}
    if dataset_title:
        about["dataset_title"] = dataset_title
    if saved.get("parent"):
        about["parent"] = saved["parent"]
    if pictures_licence:
        about["pictures"] = pictures_licence
    if levels is not None:
        about["grey_levels"] = levels
    text = recipe.read_text(encoding="utf-8") if recipe else saved.get("recipe")
    if not text:
        raise WeightsError(f"{checkpoint} holds no recipe. Name it with --recipe.")
    for file in (EVALUATION, CARD, *FIGURES):
        (folder / file).unlink(missing_ok=True)  # it was of the weights before
    save_folder(flow, folder, about)
    make_golden(flow, natural).save(folder)
    write_atomically(folder / RECIPE, text.encode())
    return folder
