"""A flow in training: loss, optimiser, schedule and guards."""

import math
from typing import Any, Literal

import lightning as L
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Adam, Adamax, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from zoo.architectures import build, config_to_json, find_architecture
from zoo.errors import NonFiniteError
from zoo.training.metrics import BitsPerDim

OPTIMIZERS: dict[str, type[Adam] | type[Adamax]] = {"adam": Adam, "adamax": Adamax}


class DensityModule(L.LightningModule):
    """Optimiser, schedule and guard of maximum-likelihood training.

    A subclass saves the hyperparameters optimizer, lr, warmup_steps and schedule.
    """

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        if not norm.isfinite():
            raise NonFiniteError(
                f"step {self.global_step}: the gradient is not finite. Lower the learning rate, "
                "or clip harder, and resume from the last checkpoint with --ckpt_path."
            )
        self.log("train/gradient_norm", norm)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        optimizer = OPTIMIZERS[self.hparams["optimizer"]](self.parameters(), lr=self.hparams["lr"])
        scheduler = LambdaLR(optimizer, self._lr_factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _lr_factor(self, step: int) -> float:
        warmup_steps: int = self.hparams["warmup_steps"]
        warmup = min(1.0, (step + 1) / max(1, warmup_steps))
        total = self.trainer.estimated_stepping_batches
        if self.hparams["schedule"] == "constant" or math.isinf(total):
            return warmup
        return warmup * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))


class FlowModule(DensityModule):
    """Maximum-likelihood training of a flow; the loss is bits/dim with one dequantization draw.

    Args:
        architecture: glow, cinc, cinc_quad, finc or conf.
        preset: One of its named configurations.
        overrides: Fields of the configuration to change.
        optimizer: adam or adamax.
        lr: Peak learning rate.
        warmup_steps: Steps of linear warm-up.
        schedule: After the warm-up, "cosine" decays to 0 at the end of training (which needs
            max_steps or max_epochs), "constant" stays.
    """

    def __init__(
        self,
        architecture: str,
        preset: str,
        overrides: dict[str, Any] | None = None,
        optimizer: Literal["adam", "adamax"] = "adam",
        lr: float = 1e-3,
        warmup_steps: int = 200,
        schedule: Literal["cosine", "constant"] = "cosine",
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        config = find_architecture(architecture).preset(preset, **(overrides or {}))
        self.flow = build(config)
        # For whoever exports a checkpoint: the text of the recipe, and what was fine-tuned.
        self.recipe = ""
        self.parent: dict[str, str] | None = None
        self.val_bits_per_dim = BitsPerDim()

    def training_step(self, images: Tensor, batch_idx: int) -> Tensor:
        bits_per_dim = self._bits_per_dim(images)
        self.log("train/bits_per_dim", bits_per_dim.mean().detach(), prog_bar=True)
        return bits_per_dim.mean()

    def validation_step(self, images: Tensor, batch_idx: int) -> None:
        self.val_bits_per_dim.update(self._bits_per_dim(images))
        self.log("val/bits_per_dim", self.val_bits_per_dim, prog_bar=True)

    def _bits_per_dim(self, images: Tensor) -> Tensor:
        try:
            return self.flow.bits_per_dim(images)
        except NonFiniteError as error:
            raise NonFiniteError(f"step {self.global_step}: {error}") from error

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["flow_config"] = config_to_json(self.flow.config)
        checkpoint["recipe"] = self.recipe
        checkpoint["parent"] = self.parent

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.parent = checkpoint.get("parent")
