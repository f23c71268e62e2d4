"""A flow in training: loss, optimiser, schedule and guards."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Adam, Adamax, Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import MeanMetric

from zoo.architectures import build, config_from_json, config_to_json, find_architecture
from zoo.data.loader import Batch, unpack
from zoo.data.noise import dequantization_noise
from zoo.errors import ConfigError, DataError, NonFiniteError
from zoo.files import remove_abandoned
from zoo.flow import Flow
from zoo.flow.class_prior import Each, of_label
from zoo.images import spread_levels
from zoo.training.checkpoints import AtomicCheckpointIO, checkpoint_folder, last_checkpoint
from zoo.training.classes import label_bits
from zoo.training.culprit import first_in_backward, first_in_forward
from zoo.training.finetune import FineTune, Report, freeze, lasting, transfer
from zoo.training.image_data import ImageData
from zoo.training.losses import LogProb, Losses
from zoo.training.metrics import BitsPerDim
from zoo.training.muon import Muon, hidden_apart
from zoo.training.progress import count_next_epoch, describe_epochs
from zoo.training.ranks import on_all_ranks, own, refuse_low_precision, refuse_sharding
from zoo.training.resume import check_options, prepare_to_resume
from zoo.training.sampler import place, run_seed
from zoo.training.termination import SaveOnSigterm

# One kernel for all weights, where there is one.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adam": partial(Adam, fused=True),
    "adamax": partial(Adamax, foreach=True),
    "muon": Muon,
}
OptimizerName = Literal["adam", "adamax", "muon"]

Schedule = Literal["cosine", "constant", "trapezoid", "linear"]
# Factors of the learning rate after the warm-up, by the part of the steps that is done.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "constant": lambda done: 1.0,
    "trapezoid": lambda done: min(1.0, 5 * (1 - done)),
    "linear": lambda done: 1 - done,
}


class DensityModule(L.LightningModule):
    """Optimiser, schedule and guard of maximum-likelihood training.

    A subclass saves the hyperparameters optimizer, lr, warmup_steps and schedule.
    """

    flow: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.losses = Losses()

    def setup(self, stage: str) -> None:
        refuse_sharding(self.trainer.strategy)
        refuse_low_precision(self.trainer.precision)
        describe_epochs(self.trainer)
        self.trainer.strategy.checkpoint_io = AtomicCheckpointIO()

    def configure_callbacks(self) -> list[Callback]:
        return [SaveOnSigterm()]

    def guarded(self, log_prob: LogProb) -> Tensor:
        """Call `log_prob`; raise on every rank an error that names the layer at fault.

        In training it comes before the optimiser's step: a GPU is waited for once in a step.
        """
        if self.training:
            return self.losses.watch(log_prob)
        return on_all_ranks(self._trainer, lambda: self._named(log_prob))

    def _named(self, log_prob: LogProb) -> Tensor:
        try:
            return log_prob(checked=True)
        except NonFiniteError as error:
            layer = first_in_forward(self.flow, partial(log_prob, checked=True))
            where = f"{layer or 'the prior, behind all layers,'} was the first to give it"
            raise self._not_finite("loss", where) from error

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        norm = nn.utils.get_total_norm([p.grad for p in self.parameters() if p.grad is not None])
        fine, failed = self.losses.close(norm)
        on_all_ranks(self._trainer, lambda: self._named(failed) if failed else norm)
        if not fine:
            parameter = first_in_backward(self.flow) or "the norm of all"
            raise self._not_finite("gradient", f"{parameter} was the first to get it, backwards")
        self.log("train/gradient_norm", norm)

    def _not_finite(self, what: str, where: str) -> NonFiniteError:
        path = None if self._trainer is None else last_checkpoint(self.trainer)
        resume = (
            f"resume from the last checkpoint with --ckpt_path '{path}'"
            if path
            else "start again; no checkpoint has been written"
        )
        return NonFiniteError(
            f"step {self.global_step}: the {what} is NaN or infinite: {where}. Lower model.lr or "
            f"trainer.gradient_clip_val and {resume}."
        )

    def on_train_start(self) -> None:
        self._check_validation_interval()
        if self.trainer.is_global_zero:
            remove_abandoned(checkpoint_folder(self.trainer), ".ckpt")
        count_next_epoch(self.trainer.fit_loop)

    def _check_validation_interval(self) -> None:
        interval, share = self.trainer.val_check_batch, self.trainer.accumulate_grad_batches
        length = self.trainer.num_training_batches
        if interval in (None, math.inf, length):
            return
        # Batches are counted over epochs or within each, whose last step may be of fewer batches.
        over_epochs = self.trainer.check_val_every_n_epoch is None
        if interval % share or (over_epochs and length % share):
            raise ConfigError(
                f"validation after every {interval} batches would fall into a step of {share} "
                f"batches, in epochs of {length}, and its checkpoint lose gradients. Set "
                "trainer.val_check_interval to a multiple of trainer.accumulate_grad_batches, and "
                "trainer.check_val_every_n_epoch to 1."
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seed"] = run_seed()
        checkpoint["ranks"] = self.trainer.world_size

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.resumes:
            prepare_to_resume(checkpoint, self)

    @property
    def resumes(self) -> bool:
        """Whether a checkpoint is loaded to train on, not to test or to predict."""
        return self._trainer is not None and self.trainer.state.fn == TrainerFn.FITTING

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = self.new_optimizer()
        scheduler = LambdaLR(optimizer, self._lr_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def new_optimizer(self) -> Optimizer:
        """Make the optimiser that the hyperparameters name, of all that is trained."""
        name, groups = self.hparams["optimizer"], self._groups()
        if name == "muon":
            groups = list(hidden_apart(groups, self))
        return OPTIMIZERS[name](groups, lr=self.hparams["lr"])

    def _groups(self) -> list[dict[str, Any]]:
        """The parameters that are trained, and their learning rates."""
        trained = [p for p in self.parameters() if p.requires_grad]
        return [{"params": trained, "lr": self.hparams["lr"]}]

    def _lr_factor(self, step: int) -> float:
        warmup_steps: int = self.hparams["warmup_steps"]
        warmup = min(1.0, (step + 1) / max(1, warmup_steps))
        done = min(1.0, step / self.trainer.estimated_stepping_batches)
        return warmup * SCHEDULES[self.hparams["schedule"]](done)


class FlowModule(DensityModule):
    """Maximum-likelihood training of a flow; the loss is bits/dim with one dequantization draw.

    Args:
        architecture: glow, emerging, cinc, cinc_quad, finc or conf.
        preset: One of its configurations, such as compact_mnist; docs/data.md has all of them.
        overrides: Fields of the configuration to change.
        optimizer: adam, adamax or muon. With muon, the hidden layers of the nets learn by Muon,
            ten times as fast, and all other parameters by Adam.
        lr: Peak learning rate.
        warmup_steps: Steps of linear warm-up.
        schedule: After the warm-up, "cosine" decays to 0 at the end of training (which needs
            max_steps or max_epochs), "constant" stays, "trapezoid" stays and falls to 0 in a line
            over the last fifth, "linear" falls to 0 in a line from the start, which suits muon.
        label_weight: Weight of the bits of a label, -log2 p(label | image), beside bits/dim, for a
            flow with classes. With 0 the labels hardly count: an image has hundreds of bits, a
            label a few. 0.01 is that of Glow's code.
    """

    flow: Flow
    captured: Callable[[Tensor, Tensor], Tensor] | None = None
    class_names: list[int | str] | None = None

    def __init__(
        self,
        architecture: str,
        preset: str,
        overrides: dict[str, Any] | None = None,
        optimizer: OptimizerName = "adam",
        lr: float = 1e-3,
        warmup_steps: int = 200,
        schedule: Schedule = "cosine",
        label_weight: float = 0.01,
    ) -> None:
        super().__init__()
        if not 0 <= lr < math.inf:
            raise ConfigError(f"model.lr must be a number from 0 up; got {lr}.")
        if not 0 <= label_weight < math.inf:
            raise ConfigError(f"model.label_weight must be from 0 up; got {label_weight}.")
        self.save_hyperparameters()
        config = find_architecture(architecture).preset(preset, **(overrides or {}))
        self.flow = build(config)
        # Read by exports of a checkpoint: the text of the recipe, and the model fine-tuned.
        self.recipe = ""
        self.parent: dict[str, str] | None = None
        self.finetune, self.transfer = FineTune(), Report()
        self.val_bits_per_dim, self.test_bits_per_dim = BitsPerDim(), BitsPerDim()
        self.val_accuracy = MeanMetric()

    def setup(self, stage: str) -> None:
        super().setup(stage)
        freeze(self.flow, self.finetune)  # before ddp looks which parameters get gradients
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if isinstance(data, ImageData):
            self._check_shape(data.train[:1] if stage in ("fit", "validate") else data.test[:1])
            if (classes := self.flow.config.classes) and stage in ("fit", "validate"):
                data.add_labels(classes)
                self.class_names = data.class_names

    def _check_shape(self, images: Tensor) -> None:
        config = self.flow.config
        found, wanted = tuple(images.shape[1:]), (config.channels, *config.size)
        if found != wanted:
            grey = str(config.channels == 1).lower()
            raise ConfigError(
                f"the images of the data set are (C, H, W) = {found}, the flow's configuration "
                f"says {wanted}. Give the flow their size, model.overrides "
                f"{{channels: {found[0]}, size: {list(found[1:])}}}; or, for a folder, set "
                f"data.size to {list(config.size)} and data.grey to {grey}."
            )

    def start_from(self, source: Flow) -> None:
        """Take the weights of another flow, as `finetune` says."""
        self.transfer = transfer(source, self.flow, self.finetune)
        self.parent = source.origin

    def spread(self, images: Tensor) -> Tensor:
        """Images of the data's grey levels in those of the flow."""
        return spread_levels(images, self.finetune.grey_levels)

    def _groups(self) -> list[dict[str, Any]]:
        """Apart from each other: what came from another flow, and what is new."""
        inherited = {*self.transfer.get("taken", ()), *self.transfer.get("adapted", ())}
        groups: tuple[list[nn.Parameter], list[nn.Parameter]] = [], []
        for name, parameter in self.flow.named_parameters():
            if parameter.requires_grad:
                groups[name in inherited].append(parameter)
        lr = self.hparams["lr"]
        rates = (lr, lr * self.finetune.lr_factor)
        return [{"params": g, "lr": r} for g, r in zip(groups, rates, strict=True) if g]

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        # Noise of the epoch, not the step: then no image's noise depends on how batches are cut.
        images, label = self._unpack(batch)
        found = self._bits_per_dim(images, run_seed(), "train", place(self._trainer).epoch)
        bits_per_dim = (found if label is None else of_label(found, label)).mean()
        self.log("train/bits_per_dim", bits_per_dim.detach(), prog_bar=True, sync_dist=True)
        if label is None:
            return bits_per_dim
        bits = label_bits(found, label, images[0].numel()).mean()
        return bits_per_dim + self.hparams["label_weight"] * bits

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        # One draw for all validations of all runs: what differs then is the flow.
        images, label = self._unpack(batch)
        loaders, found = self.trainer.val_dataloaders, self._bits_per_dim(images, "validation")
        bits_per_dim = found if label is None else of_label(found, label)
        self.val_bits_per_dim.update(own(bits_per_dim, loaders, batch_idx))
        self.log("val/bits_per_dim", self.val_bits_per_dim, prog_bar=True)
        if label is not None:
            self.val_accuracy.update(own(found.argmin(1) == label, loaders, batch_idx))
            self.log("val/accuracy", self.val_accuracy, prog_bar=True)

    def _unpack(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        images, label = unpack(batch)
        if (label is None) == bool(self.flow.config.classes):
            raise DataError(
                "a flow with classes is trained on pairs of images and labels, and one without on "
                "images alone. Change the batches, or classes in model.overrides."
            )
        return images, label

    def test_step(self, images: Tensor, batch_idx: int) -> None:
        bits_per_dim = self._bits_per_dim(images, "test", label=None)
        self.test_bits_per_dim.update(own(bits_per_dim, self.trainer.test_dataloaders, batch_idx))
        self.log("test/bits_per_dim", self.test_bits_per_dim)

    def predict_step(self, images: Tensor, batch_idx: int) -> Tensor:
        """Latents (B, D) that `flow.decode` gives the images back from, bit for bit."""
        return self.flow.encode(self.spread(images))

    def _bits_per_dim(
        self, images: Tensor, *noise_of: int | str, label: Each | None = "each"
    ) -> Tensor:
        """Bits/dim (B,), or (B, K) of each class where there are some and it is wanted."""
        images = self.spread(images)
        noise = dequantization_noise(images, *noise_of)
        each = label if self.flow.config.classes else None

        def bits_per_dim(*, checked: bool) -> Tensor:
            if self.captured is not None and not checked:
                return self.captured(images, noise)
            return self.flow.bits_per_dim(images, noise=noise, label=each, checked=checked)

        return self.guarded(bits_per_dim)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["flow_config"] = config_to_json(self.flow.config)
        checkpoint["recipe"] = self.recipe
        checkpoint["parent"] = self.parent
        checkpoint["transfer"] = self.transfer
        checkpoint["finetune"] = lasting(self.finetune)
        if self.class_names:
            checkpoint["class_names"] = self.class_names

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        saved = dataclasses.asdict(config_from_json(checkpoint["flow_config"]))
        check_options("flow", saved, dataclasses.asdict(self.flow.config))
        options = checkpoint.get("finetune", {})
        if not self.resumes:
            self.finetune = FineTune(**options)
        check_options("finetune", options, lasting(self.finetune))
        saved = checkpoint["hyper_parameters"]
        weight = {name: saved[name] for name in ("label_weight",) if name in saved}
        check_options("model", weight, self.hparams)
        names = {"class_names": checkpoint.get("class_names")}
        check_options("data", names, {"class_names": self.class_names})
        self.parent = checkpoint.get("parent")
        self.transfer = checkpoint.get("transfer", {})
