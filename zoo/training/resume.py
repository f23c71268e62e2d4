"""Checks and changes of a checkpoint, so that a run goes on as if never interrupted."""

from collections.abc import Mapping
from typing import Any

import lightning as L

from zoo.errors import ConfigError
from zoo.training.progress import rescale, resume_after_batch


def prepare_to_resume(checkpoint: dict[str, Any], module: L.LightningModule) -> None:
    """Check a checkpoint against the recipe's model, and adapt it to the recipe, in place.

    Raises:
        ConfigError: If it is of another model or optimiser.
    """
    _check_model(checkpoint, module)
    _check_split(checkpoint, module.trainer)
    check_options(
        "model", {"optimizer": checkpoint["hyper_parameters"]["optimizer"]}, module.hparams
    )
    _adapt_learning_rate(checkpoint, module.hparams["lr"])
    if "seed" in checkpoint:  # the order of the data and the noise follow from it
        L.seed_everything(checkpoint["seed"], verbose=False)
        resume_after_batch(checkpoint)
        _adapt_global_batch(checkpoint, module.trainer)


def check_options(section: str, before: dict[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ConfigError unless the options of a checkpoint's run are those of this one, too.

    Args:
        section: Section of the recipe.
        before: Options of the run that wrote the checkpoint.
        now: Options of the run that goes on, and perhaps others.
    """
    changed = [
        f"{section}.{name} is {value!r} there and {now[name]!r} here"
        for name, value in before.items()
        if value != now[name]
    ]
    if changed:
        raise ConfigError(
            f"the checkpoint is of a run with other options: {'; '.join(changed)}. Resume it with "
            "the ones that it was started with."
        )


def _check_model(checkpoint: dict[str, Any], module: L.LightningModule) -> None:
    shapes, found = (
        {name: tensor.shape for name, tensor in state.items()}
        for state in (module.state_dict(), checkpoint["state_dict"])
    )
    if shapes != found:
        saved, wanted = checkpoint["hyper_parameters"], module.hparams
        changed = [
            f"{name} is {saved.get(name)!r} there and {wanted.get(name)!r} here"
            for name in {**saved, **wanted}
            if saved.get(name) != wanted.get(name)
        ]
        raise ConfigError(
            f"the checkpoint is of another flow than the recipe's: {'; '.join(changed)}. "
            "Resume it with its own recipe."
        )


def _check_split(checkpoint: dict[str, Any], trainer: L.Trainer) -> None:
    """Refuse to validate on what the run before trained on."""
    saved = checkpoint.get("datamodule_hyper_parameters", {})
    split = {
        name: saved[name] for name in ("name", "seed", "val_images", "splits") if name in saved
    }
    check_options("data", split, trainer.datamodule.hparams)  # type: ignore[attr-defined]


def _adapt_learning_rate(checkpoint: dict[str, Any], lr: float) -> None:
    before = checkpoint["hyper_parameters"]["lr"]
    if before not in (0, lr):
        factor = lr / before
        for group in checkpoint["optimizer_states"][0]["param_groups"]:
            group["lr"] *= factor
        schedule = checkpoint["lr_schedulers"][0]
        schedule["base_lrs"] = [base * factor for base in schedule["base_lrs"]]


def _adapt_global_batch(checkpoint: dict[str, Any], trainer: L.Trainer) -> None:
    """Go on at the same image with another number of ranks, or of images per batch."""
    data: L.LightningDataModule = trainer.datamodule  # type: ignore[attr-defined]
    old = checkpoint["ranks"] * checkpoint["datamodule_hyper_parameters"]["batch_size"]
    new = trainer.world_size * data.hparams["batch_size"]
    if old != new:
        rescale(checkpoint, old, new, len(data.train_dataloader()))
