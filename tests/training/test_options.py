"""Options of Lightning's mean what they say, or are refused in one line."""

import ast
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from lightning.fabric.loggers import tensorboard

from tests.training.runs import recipe, run
from zoo.errors import ArgumentError, ConfigError
from zoo.tabular.tabular_cli import train_tabular
from zoo.training.lightning_cli import BATCHES
from zoo.training.progress import _description

SHORT = {"max_steps": 2}


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed", "bf16-true", "16-true"])
def test_low_precision_names_what_there_is_instead(tmp_path: Path, precision: str) -> None:
    with pytest.raises(ConfigError, match=r"is (bf|)16-\w+; .* --speed.nets bfloat16"):
        run(tmp_path, trainer={**SHORT, "precision": precision, "gradient_clip_val": 50.0})


def test_double_precision_trains(tmp_path: Path) -> None:
    assert run(tmp_path, trainer={**SHORT, "precision": "64-true"}).exists()


def test_a_logger_without_its_package_is_one_line(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tensorboard, "_TENSORBOARD_AVAILABLE", False)
    monkeypatch.setattr(tensorboard, "_TENSORBOARDX_AVAILABLE", False)
    section = {
        "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
        "init_args": {"save_dir": str(tmp_path)},
    }
    with pytest.raises(ConfigError, match="^[^\n]*`tensorboard`[^\n]*$"):
        run(tmp_path, trainer={**SHORT, "logger": section})


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("trainer.max_steps", "abc", "--trainer.max_steps must be a whole number; got abc."),
        ("model.lr", "x", "--model.lr must be a number; got x."),
        ("speed.capture", "7", "--speed.capture must be true or false; got 7."),
        ("data.flips", "up", "--data.flips must be one of none, horizontal, all; got up."),
        ("data.val_images", "x", "--data.val_images: Does not validate"),
    ],
)
def test_a_wrong_value_is_said_in_words(option: str, value: str, message: str, tmp_path) -> None:
    with pytest.raises(ArgumentError, match=f"^{re.escape(message)}"):
        run(tmp_path, f"--{option}", value)


ONE_OR_ALL = """
import typing
import lightning as L
from zoo.training.lightning_cli import BATCHES, train
for name in BATCHES:  # what typing may hand out for Union[int, float]
    L.Trainer.__init__.__annotations__[name] = typing.Union[float, int, None]
L.Trainer.fit = lambda self, *_, **__: print([repr(getattr(self, name)) for name in BATCHES])
for chosen in ALONE:
    for value in ("1", "1.0"):
        train([*OPTIONS, *(f"--trainer.{name}={value}" for name in chosen)])
"""


def test_one_is_one_batch_and_not_all(tmp_path: Path) -> None:
    alone = [[name for name in BATCHES if name != "overfit_batches"], ["overfit_batches"]]
    path = tmp_path / "recipe.yaml"
    trainer = {"limit_val_batches": 8, "check_val_every_n_epoch": 1}
    path.write_text(yaml.safe_dump(recipe(tmp_path, trainer=trainer)))
    values = {"OPTIONS": ["--config", str(path)], "ALONE": alone}
    code = "".join(f"{name} = {value!r}\n" for name, value in values.items()) + ONE_OR_ALL
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seen = [
        dict(zip(BATCHES, ast.literal_eval(line), strict=True))
        for line in out.stdout.splitlines()
        if line.startswith("[")
    ]
    for chosen, one, all_of_them in zip(alone, seen[::2], seen[1::2], strict=True):
        assert all((one[name], all_of_them[name]) == ("1", "1.0") for name in chosen)


def test_a_resumed_run_does_not_warn_of_its_data(tmp_path: Path) -> None:
    run(tmp_path, trainer={"max_steps": 4})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(tmp_path, "--ckpt_path", "last", trainer={"max_steps": 6})
    assert not [w for w in caught if "not resumable" in str(w.message)]


@pytest.mark.parametrize(
    ("max_epochs", "epoch", "text"),
    [(-1, 0, "Epoch 0"), (None, 3, "Epoch 3"), (20, 0, "Epoch 0/19"), (20, 60, "Epoch 60")],
)
def test_the_bar_counts_up_to_an_end_that_is_to_come(max_epochs, epoch: int, text: str) -> None:
    assert _description(SimpleNamespace(max_epochs=max_epochs), epoch) == text


def test_the_bar_of_a_run_counted_in_steps(tmp_path: Path, capsys) -> None:
    run(tmp_path, trainer={**SHORT, "enable_progress_bar": True})
    out = capsys.readouterr().out
    assert "Epoch 0 " in out
    assert "/-2" not in out


def test_a_table_s_run_without_validation_is_one_line(tmp_path: Path) -> None:
    options = {
        "trainer.max_steps": 1,
        "trainer.val_check_interval": 1000,
        "trainer.check_val_every_n_epoch": "null",
        "trainer.default_root_dir": tmp_path,
        "checkpoint.dirpath": tmp_path / "checkpoints",
    }
    config = Path(__file__).parents[2] / "recipes/tabular/conf_breast_cancer.yaml"
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with pytest.raises(ConfigError, match="ended before its first validation"):
        train_tabular(["--config", str(config), *arguments])
