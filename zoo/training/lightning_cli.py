"""`flowzoo train`: LightningCLI with the standard callbacks of a flow."""

import argparse
import os
import re
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn

from zoo.architectures.plugins import load_plugin
from zoo.documents import read_text
from zoo.errors import ArgumentError, ConfigError
from zoo.sources import load
from zoo.training.callbacks import EMA, LearningRate, Pictures, picture_folder
from zoo.training.checkpoints import read_checkpoint
from zoo.training.finetune import FineTune, described, summary
from zoo.training.image_data import ImageData
from zoo.training.loggers import keep_metrics_file
from zoo.training.module import FlowModule
from zoo.training.outcome import outcome
from zoo.training.parser_words import in_options
from zoo.training.speed import Speed

# Options of the trainer that are a number of batches, or a share of all if they are a fraction.
BATCHES = (
    "limit_train_batches",
    "limit_val_batches",
    "limit_test_batches",
    "limit_predict_batches",
    "overfit_batches",
    "val_check_interval",
)


def _read_whole_numbers_first() -> None:
    """Have 1 mean one batch: `typing` gives one object for Union[int, float] and its reverse.

    Which of the two it is depends on what was imported before; `int | float` is never shared.
    """
    for name in BATCHES:
        L.Trainer.__init__.__annotations__[name] = int | float | None


_read_whole_numbers_first()  # a parser keeps what it has read once


class DensityCLI(LightningCLI):
    """Adds checkpoints and callbacks; opens checkpoints with care, and leaves the recipe as it is.

    Attributes:
        callbacks: Classes of the callbacks, by the names of their options.
    """

    callbacks: Mapping[str, type[Callback]] = {"ema": EMA}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        for name, kind in self.callbacks.items():
            parser.add_lightning_class_args(kind, name)
        parser.set_defaults(
            {
                "checkpoint.filename": "{step}",
                "checkpoint.save_last": True,
                # A resumed run writes last.ckpt too, not last-v1.ckpt beside it.
                "checkpoint.enable_version_counter": False,
                "seed_everything": 0,
            }
        )

    def _parse_ckpt_path(self) -> None:
        """Check the checkpoint to resume from before anything is built.

        Lightning would replace the recipe's model section by the checkpoint's.
        """
        subcommand = self.config.get("subcommand")
        config = self.config[subcommand] if subcommand else {}
        seed = config.get("seed_everything")
        if seed is not None and not 0 <= seed < 2**32:
            raise ConfigError(f"seed_everything must be from 0 up to 2**32; got {seed}.")
        if config.get("ckpt_path") == "last":
            if (folder := config["checkpoint"]["dirpath"]) is None:
                raise ConfigError(
                    "--ckpt_path last needs checkpoint.dirpath, where last.ckpt then is."
                )
            config["ckpt_path"] = str(Path(folder, "last.ckpt"))
        if config.get("ckpt_path") is not None:
            read_checkpoint(config["ckpt_path"])
        elif subcommand == "fit" and not config["trainer"]["fast_dev_run"]:
            _keep_checkpoints(
                config["checkpoint"]["dirpath"], config["trainer"]["default_root_dir"]
            )


class FlowCLI(DensityCLI):
    """Adds pictures, --plugins and --init_from to the options."""

    # Pictures first: EMA takes the averaged weights away again after validation.
    callbacks: Mapping[str, type[Callback]] = {
        "pictures": Pictures,
        "ema": EMA,
        "lr_monitor": LearningRate,
        "speed": Speed,
    }

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument(
            "--plugins", type=list[str], default=[], help="files or modules to import first"
        )
        super().add_arguments_to_parser(parser)
        parser.set_defaults({"checkpoint.monitor": "val/bits_per_dim"})
        parser.add_argument("--init_from", type=str | None, default=None, help="model to fine-tune")
        parser.add_class_arguments(FineTune, "finetune")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        self.arguments: list[str] = args[1:]  # without fit
        super().parse_arguments(parser, args)

    def before_instantiate_classes(self) -> None:
        for source in self.config["fit"]["plugins"]:
            load_plugin(source)

    def before_fit(self) -> None:
        config = self.config["fit"]
        if config["trainer"]["logger"] in (None, True):
            keep_metrics_file(self.trainer)
        self.model.recipe = self._recipe(config["config"] or ())
        self.model.finetune = FineTune(**config["finetune"])
        if lasting := described(self.model.finetune):
            rank_zero_info(f"finetune: {lasting}")
        if config["init_from"] is None:
            if config.get("ckpt_path") is None:
                _warn_of_finetuning(config["config"] or ())
            return
        if config.get("ckpt_path") is not None:
            raise ConfigError("--init_from starts anew and --ckpt_path resumes; pass one of them.")
        self.model.start_from(load(config["init_from"]))
        rank_zero_info(f"{config['init_from']}: {summary(self.model.transfer)}")

    def after_fit(self) -> None:
        pictures = picture_folder(self.trainer)  # asks all ranks
        if self.trainer.is_global_zero:
            print(outcome(self.trainer, pictures, self.config["fit"]["data"]["dir"]))

    def _recipe(self, paths: Sequence[str | Path]) -> str:
        """The recipe; of several, or with options, the configuration that they make together.

        It says all that differs from the defaults, but not where the data lie, and trains again.
        """
        options = shlex.join(_options(self.arguments))
        if len(paths) == 1 and not options:
            return read_text(paths[0])
        config = self.config["fit"].clone()
        for place in ("config", "ckpt_path", "data.dir"):
            config.pop(place, None)
        parser = self._parser(self.subcommand)
        text = parser.dump(config, skip_none=False, skip_default=True, skip_validation=True)
        said = f"# Of these options of the command line, too: {options}\n" if options else ""
        return f"# flowzoo train --config recipe.yaml\n{said}{text}"


def _warn_of_finetuning(paths: Sequence[str | Path]) -> None:
    """Say that a recipe for fine-tuning trains from random weights without --init_from."""
    if any(re.search("^finetune:", read_text(path), re.MULTILINE) for path in paths):
        rank_zero_warn(
            "this recipe is for fine-tuning, and no --init_from names a model to start from: it "
            "trains from random weights."
        )


def _keep_checkpoints(folder: str | Path | None, root: str | Path | None) -> None:
    """Refuse to start anew where a run has left its checkpoints, which would be replaced.

    A job that SLURM has started again finds its own checkpoint in Lightning's folder, the root, and
    goes on by it.
    """
    if folder is None or any(Path(root or ".").glob("hpc_ckpt_*.ckpt")):
        return
    if not (found := list(Path(folder).glob("*.ckpt"))):
        return
    newest = max(found, key=lambda path: (path.stat().st_mtime_ns, path.name == "last.ckpt"))
    resume = "last" if newest.name == "last.ckpt" else shlex.quote(str(newest))
    raise ConfigError(
        f"{folder} holds the checkpoints of another run, {newest.name} the newest. Go on with it "
        f"by --ckpt_path {resume}, or start anew in another folder by --checkpoint.dirpath."
    )


def _options(arguments: list[str]) -> list[str]:
    """Arguments that say more of what is trained than the recipes which they name."""
    known = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    known.add_argument("-c", "--config", action="append")
    known.add_argument("--data.dir")
    known.add_argument("--ckpt_path")
    return known.parse_known_args(arguments)[1]


def train(arguments: list[str]) -> None:
    """Train as the arguments say: the options of LightningCLI's `fit`, and --init_from."""
    run_fit("train", FlowCLI, FlowModule, ImageData, arguments)


def run_fit(
    command: str,
    cli: type[LightningCLI],
    module: type[L.LightningModule],
    data: type[L.LightningDataModule],
    arguments: list[str],
) -> None:
    """Run `fit` of a LightningCLI; its errors become ours."""
    _read_whole_numbers_first()
    # The progress bar shows numbers of the device, for which each time the host must wait.
    os.environ.setdefault("TQDM_MINITERS", "10")
    options = {"exit_on_error": False, "usage": f"flowzoo {command} [options]"}
    with warnings.catch_warnings(), _our_errors():
        # Lightning advises against `args` beside a command line; here it is the command line.
        warnings.filterwarnings("ignore", "LightningCLI's args parameter")
        # The folder of pictures and checkpoints: nothing in it is deleted.
        warnings.filterwarnings("ignore", "Experiment logs directory")
        # The sampler goes on from where the trainer stands, which Lightning cannot know.
        warnings.filterwarnings("ignore", "You're resuming from a checkpoint that ended before")
        cli(
            module,
            data,
            args=["fit", *arguments],
            # Without a logger it goes into the folder of the run, maybe beside a config.yaml.
            save_config_kwargs={"overwrite": True, "config_filename": "flowzoo_config.yaml"},
            parser_kwargs={"exit_on_error": False, "fit": options},
        )


@contextmanager
def _our_errors() -> Iterator[None]:
    """Turn the errors of a command line and its recipes into ours."""
    try:
        yield
    except argparse.ArgumentError as error:
        text = re.sub(r"(?<![\w/.-])fit\.(?=\w+\.)", "", str(error)).rstrip(".")
        raise ArgumentError(f"{in_options(text)}. --help lists the options.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"a recipe is no text in UTF-8: {error}.") from error
    except (MisconfigurationException, ModuleNotFoundError) as error:
        raise ConfigError(str(error)) from error
    except ValueError as error:
        # A class that cannot be made, such as a logger whose package is missing.
        found = re.search(r"Problem with given class_path '(.+?)':\s+(.+)", str(error))
        if found is None:
            raise
        raise ConfigError(f"{found[1]}: {found[2]}") from error
