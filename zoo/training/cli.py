"""`flowzoo train`: LightningCLI with the standard callbacks of a flow."""

import argparse
import warnings
from pathlib import Path

from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from zoo.errors import ArgumentError, ConfigError
from zoo.registry import load
from zoo.training.callbacks import EMA, Pictures
from zoo.training.data import ImageData
from zoo.training.module import FlowModule


class FlowCLI(LightningCLI):
    """Adds checkpoints, averaged weights, pictures and --init_from to the ordinary options."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        # Pictures first: EMA takes the averaged weights away again after validation.
        parser.add_lightning_class_args(Pictures, "pictures")
        parser.add_lightning_class_args(EMA, "ema")
        parser.add_lightning_class_args(LearningRateMonitor, "lr_monitor")
        parser.set_defaults(
            {
                "checkpoint.monitor": "val/bits_per_dim",
                "checkpoint.filename": "{step}",
                "checkpoint.save_last": True,
                "seed_everything": 0,
            }
        )
        parser.add_argument("--init_from", type=str | None, default=None, help="model to fine-tune")

    def before_fit(self) -> None:
        config = self.config["fit"]
        self.model.recipe = "".join(Path(path).read_text() for path in config["config"] or ())
        if config["init_from"] is not None:
            self._start_from(config["init_from"], resuming=config.get("ckpt_path") is not None)

    def _start_from(self, source: str, resuming: bool) -> None:
        if resuming:
            raise ConfigError("--init_from starts anew and --ckpt_path resumes; pass one of them.")
        flow = load(source)
        if flow.config != self.model.flow.config:
            raise ConfigError(
                f"{source} is another flow than the recipe's: {flow.config} against "
                f"{self.model.flow.config}. Change the recipe's model section."
            )
        self.model.flow.load_state_dict(flow.state_dict())


def train(arguments: list[str]) -> None:
    """Train as the arguments say: the options of LightningCLI's `fit`, and --init_from."""
    with warnings.catch_warnings():
        # Lightning advises against `args` beside a command line; here it is the command line.
        warnings.filterwarnings("ignore", "LightningCLI's args parameter")
        try:
            FlowCLI(
                FlowModule,
                ImageData,
                args=["fit", *arguments],
                save_config_kwargs={"overwrite": True},
                parser_kwargs={"exit_on_error": False, "fit": {"exit_on_error": False}},
            )
        except argparse.ArgumentError as error:
            raise ArgumentError(f"{error} See flowzoo train --help.") from error
