"""A flow of vectors in training, and its test log-likelihood."""

from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from zoo.files import write_json
from zoo.tabular.vector_flow import ConfTabularConfig, VectorFlow, conf_tabular
from zoo.training.metrics import LogLikelihood
from zoo.training.module import DensityModule, OptimizerName, Schedule
from zoo.training.ranks import own
from zoo.training.resume import check_options

RESULT = "test.json"


class TabularModule(DensityModule):
    """Maximum-likelihood training of CONF of vectors; the loss is nats per row.

    After testing, default_root_dir/test.json holds the log-likelihood and its standard error.

    Args:
        features: Columns of the table.
        steps: Steps of the flow.
        hidden_features: Width of the coupling nets.
        factors: Factors of the couplings to change, such as {gate: none}.
        optimizer: As for `FlowModule`.
        lr: Peak learning rate.
        warmup_steps: Steps of linear warm-up.
        schedule: After the warm-up, as for `FlowModule`.
    """

    flow: VectorFlow

    def __init__(
        self,
        features: int,
        steps: int = 8,
        hidden_features: int = 64,
        factors: dict[str, Any] | None = None,
        optimizer: OptimizerName = "adam",
        lr: float = 1e-3,
        warmup_steps: int = 200,
        schedule: Schedule = "cosine",
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.config = ConfTabularConfig(
            features=features, steps=steps, hidden_features=hidden_features, **(factors or {})
        )
        self.flow = conf_tabular(self.config)
        self.val_log_likelihood, self.test_log_likelihood = LogLikelihood(), LogLikelihood()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        factors = checkpoint["hyper_parameters"]["factors"]
        check_options("model", {"factors": factors}, self.hparams)

    def training_step(self, rows: Tensor, batch_idx: int) -> Tensor:
        loss = -self._log_prob(rows).mean()
        self.log("train/log_likelihood", -loss.detach(), prog_bar=True, sync_dist=True)
        return loss

    def validation_step(self, rows: Tensor, batch_idx: int) -> None:
        log_prob = own(self._log_prob(rows), self.trainer.val_dataloaders, batch_idx)
        self.val_log_likelihood.update(log_prob)

    def on_validation_epoch_end(self) -> None:
        self.log("val/log_likelihood", self.val_log_likelihood.compute()[0], prog_bar=True)
        self.val_log_likelihood.reset()

    def test_step(self, rows: Tensor, batch_idx: int) -> None:
        log_prob = own(self._log_prob(rows), self.trainer.test_dataloaders, batch_idx)
        self.test_log_likelihood.update(log_prob)

    def on_test_epoch_end(self) -> None:
        mean, error = self.test_log_likelihood.compute()
        self.log_dict({"test/log_likelihood": mean, "test/standard_error": error})
        if self.trainer.is_global_zero:
            write_json(Path(self.trainer.default_root_dir) / RESULT, self._result(mean, error))

    def _log_prob(self, rows: Tensor) -> Tensor:
        return self.guarded(partial(self.flow.log_prob, rows))

    def _result(self, mean: Tensor, error: Tensor) -> dict[str, Any]:
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        return {
            "dataset": data.hparams["name"],
            "log_likelihood_nats": float(mean),
            "standard_error": float(error),
            "rows": len(data.splits["test"]),
            "parameters": sum(parameter.numel() for parameter in self.flow.parameters()),
            "model": dict(self.hparams),
        }
