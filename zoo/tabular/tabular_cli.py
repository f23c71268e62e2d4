"""`flowzoo train-tabular`: LightningCLI for flows of vectors."""

from lightning.pytorch.cli import LightningArgumentParser

from zoo.errors import ConfigError
from zoo.tabular.tables import TabularData
from zoo.tabular.task import TabularModule
from zoo.training.lightning_cli import DensityCLI, run_fit


class TabularCLI(DensityCLI):
    """Tests the best checkpoint after training."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        super().add_arguments_to_parser(parser)
        parser.set_defaults({"checkpoint.monitor": "val/log_likelihood", "checkpoint.mode": "max"})

    def after_fit(self) -> None:
        if self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        best = self.trainer.checkpoint_callback.best_model_path  # type: ignore[union-attr]
        if self.trainer.global_step and not best:
            raise ConfigError(
                "the run ended before its first validation, so no checkpoint is the best one to "
                "test. Lower trainer.val_check_interval, or train longer."
            )
        self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path="best")


def train_tabular(arguments: list[str]) -> None:
    """Train a flow of vectors, then measure its best checkpoint on the test rows."""
    run_fit("train-tabular", TabularCLI, TabularModule, TabularData, arguments)
