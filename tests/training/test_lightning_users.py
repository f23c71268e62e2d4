"""Flows in the hands of users of Lightning: test, predict, loggers, and the end of a run."""

import shlex
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.testing import assert_close

from tests.training.runs import run as tiny_run
from zoo.data import load_images
from zoo.data.noise import dequantization_noise
from zoo.folder import ModelFolder
from zoo.images import spread_levels
from zoo.training.export_folder import load_checkpoint
from zoo.training.image_data import ImageData
from zoo.training.loggers import log_picture
from zoo.training.module import FlowModule

SHORT = {"max_steps": 4, "val_check_interval": 2, "limit_val_batches": 1}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """The last checkpoint of a run with the logger that Lightning chooses."""
    folder = tmp_path_factory.mktemp("run")
    return tiny_run(folder, trainer={**SHORT, "logger": True})


@pytest.fixture
def module(checkpoint: Path) -> FlowModule:
    return FlowModule.load_from_checkpoint(checkpoint)


def trainer(folder: Path, **options: Any) -> L.Trainer:
    quiet = ("enable_progress_bar", "enable_model_summary", "enable_checkpointing", "logger")
    off = dict.fromkeys(quiet, False)
    return L.Trainer(accelerator="cpu", default_root_dir=folder, **off, **options)


def data() -> ImageData:
    return ImageData("digits", batch_size=128, eval_batch_size=100, val_images=100)


# Trainer.test and Trainer.predict.


def test_a_module_is_loaded_from_its_checkpoint(module: FlowModule, checkpoint: Path) -> None:
    flow, _ = load_checkpoint(checkpoint)
    assert_close(module.flow.state_dict(), flow.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("again", [False, True], ids=["as it is", "from the checkpoint"])
def test_testing_gives_the_mean_of_the_test_split(
    module: FlowModule, checkpoint: Path, tmp_path: Path, again: bool
) -> None:
    found = trainer(tmp_path).test(
        module, data(), ckpt_path=str(checkpoint) if again else None, weights_only=True
    )
    images = load_images("digits", "", "test")
    noise = dequantization_noise(images, "test")
    bits_per_dim = module.flow.eval().bits_per_dim(images, noise=noise).mean()
    assert found[0]["test/bits_per_dim"] == pytest.approx(float(bits_per_dim), abs=1e-5)


def test_predictions_are_exact_latents_of_the_test_split(
    module: FlowModule, tmp_path: Path
) -> None:
    latents = trainer(tmp_path).predict(module, data())
    assert latents is not None
    images = load_images("digits", "", "test")
    assert [len(z) for z in latents] == [100, 100, 97]
    decoded = torch.cat([module.flow.decode(z) for z in latents])
    assert torch.equal(decoded, images)


def test_a_checkpoint_of_grey_levels_spreads_them_in_tests_too(
    checkpoint: Path, tmp_path: Path
) -> None:
    content = torch.load(checkpoint, weights_only=True)
    content["finetune"]["grey_levels"] = 17
    torch.save(content, tmp_path / "of_17.ckpt")
    module = FlowModule.load_from_checkpoint(tmp_path / "of_17.ckpt")
    assert module.finetune.grey_levels == 17
    images = torch.arange(17, dtype=torch.uint8).expand(1, 1, 1, 17)
    assert torch.equal(module.spread(images), spread_levels(images, 17))


# Loggers.


def test_tensorboard_gets_pictures_and_numbers_and_a_file_gets_the_numbers(
    checkpoint: Path,
) -> None:
    folder = checkpoint.parents[1] / "lightning_logs" / "version_0"
    events = EventAccumulator(str(folder))
    events.Reload()
    assert events.Tags()["images"] == ["pictures/samples", "pictures/reconstructions"]
    assert [event.step for event in events.Images("pictures/samples")] == [2, 4]
    assert "val/bits_per_dim" in events.Tags()["scalars"]
    assert "val/bits_per_dim" in (folder / "metrics.csv").read_text()
    names = sorted(path.name for path in (folder / "pictures").iterdir())
    assert names == [f"000000{i}_{n}.png" for i in (2, 4) for n in ("reconstructions", "samples")]


class Wandb:
    """A logger with the method of Lightning's WandbLogger."""

    def __init__(self) -> None:
        self.logged: list[tuple[str, tuple[int, int], int]] = []

    def log_image(self, key: str, images: list[Any], step: int | None = None) -> None:
        assert step is not None
        self.logged += [(key, image.size, step) for image in images]


def test_a_logger_of_images_gets_pictures_and_another_does_not(tmp_path: Path) -> None:
    logger = Wandb()
    picture = torch.zeros(3, 4, 6, dtype=torch.uint8)
    log_picture(logger, "pictures/samples", picture, 7)  # type: ignore[arg-type]
    assert logger.logged == [("pictures/samples", (6, 4), 7)]
    log_picture(object.__new__(Logger.__subclasses__()[0]), "x", picture, 7)


# The end of a run.


def test_a_run_ends_with_its_value_files_and_the_next_command(run, capsys, tmp_path: Path) -> None:
    tiny_run(tmp_path / "a run", trainer=SHORT)
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[-4:])
    assert list(lines) == ["best", "checkpoint", "next", "pictures"]
    score = torch.load(lines["checkpoint"], weights_only=True)["callbacks"]
    best = next(state for state in score.values() if "best_model_score" in state)
    assert lines["best"] == f"val/bits_per_dim {float(best['best_model_score']):.4f}"
    assert list(Path(lines["pictures"]).glob("*_samples.png"))
    command = shlex.split(lines["next"])
    assert command[0] == "flowzoo"
    assert run(*command[1:], "-o", tmp_path / "models")[0] == 0
    assert ModelFolder(tmp_path / "models" / "my_flow").load()


def test_a_run_that_ends_before_a_validation_names_no_best_value(capsys, tmp_path: Path) -> None:
    tiny_run(tmp_path, trainer={"max_steps": 1, "limit_val_batches": 0})
    last = tmp_path / "checkpoints" / "last.ckpt"
    expected = (
        f"checkpoint {last}\nnext       flowzoo export {last} --name my_flow --data-dir data\n"
    )
    assert capsys.readouterr().out == expected


def test_a_run_that_goes_on_elsewhere_names_its_own_checkpoint(capsys, tmp_path: Path) -> None:
    before = tiny_run(tmp_path / "a", trainer=SHORT)
    capsys.readouterr()
    short = {"max_steps": 5, "limit_val_batches": 0}
    last = tiny_run(tmp_path / "b", "--ckpt_path", str(before), trainer=short)
    assert f"checkpoint {last}\n" in capsys.readouterr().out
