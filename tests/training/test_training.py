"""Training end to end, on scikit-learn's digits."""

import copy
import math
from pathlib import Path

import lightning as L
import pytest
import torch
import yaml
from PIL import Image
from torch.testing import assert_close

from tests.folders import (
    export,
    read_config,
    read_golden,
    render_card,
    save_folder,
    validate,
    write_card,
)
from tests.training.runs import OVERRIDES
from tests.training.runs import run as tiny_run
from zoo import load
from zoo.architectures.registry import ARCHITECTURES
from zoo.data import load_images
from zoo.errors import ArgumentError, ConfigError, ImageError
from zoo.folder import content_hash, identity
from zoo.training.average import Average
from zoo.training.callbacks import EMA
from zoo.training.checkpoints import read_checkpoint
from zoo.training.export_folder import load_checkpoint
from zoo.training.image_data import ImageData
from zoo.training.lightning_cli import train
from zoo.training.module import FlowModule


def run(folder: Path, steps: int, *arguments: str, **model) -> Path:
    """Train for some steps of 32 images and return the last checkpoint."""
    changes = {
        "model": {"schedule": "constant", **model},
        "data": {"batch_size": 32},
        "trainer": {"max_steps": steps, "val_check_interval": 2},
    }
    return tiny_run(folder, *arguments, **changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder of a run of 6 steps."""
    folder = tmp_path_factory.mktemp("trained")
    run(folder, 6)
    return folder


def test_training_lowers_bits_per_dim(tmp_path: Path) -> None:
    before = load_checkpoint(run(tmp_path / "a", 2, lr=5e-3))[0]
    after = load_checkpoint(run(tmp_path / "b", 60, lr=5e-3))[0]
    images = load_images("digits", "", "test")
    with torch.no_grad():
        assert after.bits_per_dim(images).mean() < before.bits_per_dim(images).mean() - 0.5


def test_pictures_are_written(trained: Path) -> None:
    names = {path.name.split("_")[1] for path in trained.rglob("pictures/*.png")}
    assert names == {"samples.png", "reconstructions.png"}


def test_an_exported_checkpoint_loads_and_encodes_exactly(trained: Path, tmp_path: Path) -> None:
    checkpoint = trained / "checkpoints" / "last.ckpt"
    folder = export(checkpoint, tmp_path, data_dir=trained)
    assert folder == tmp_path / "finc_digits"
    assert read_golden(folder).natural == 16
    stale = [folder / name for name in ("eval.json", "README.md", "samples.png")]
    for path in stale:
        path.write_text("{}")
    export(checkpoint, tmp_path, data_dir=trained)
    assert [path.name for path in stale if path.exists()] == ["README.md"]
    assert (folder / "README.md").read_text() == render_card(folder)
    flow = load(f"local-dir:{folder}")
    images = load_images("digits", "", "test")
    assert torch.equal(flow.decode(flow.encode(images)), images)
    averaged = torch.load(checkpoint, weights_only=True)["state_dict"]
    for name, value in flow.state_dict().items():
        assert torch.equal(value, averaged[f"flow.{name}"])
    assert (folder / "recipe.yaml").read_bytes() == (trained / "recipe.yaml").read_bytes()
    assert "parent" not in read_config(folder)
    write_card(folder)
    validate(folder)  # it can be published


def test_pictures_stand_for_images_that_may_not_be_shown(trained: Path, tmp_path: Path) -> None:
    folder, checkpoint = tmp_path / "pictures", trained / "checkpoints" / "last.ckpt"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (40, 30), (60 * i, 90, 20)).save(folder / f"{i}.png")
    with pytest.raises(ArgumentError, match="pass both"):
        export(checkpoint, tmp_path, pictures_licence="A. Nybody; CC0")
    with pytest.raises(ArgumentError, match="--pictures-licence"):
        export(checkpoint, tmp_path / "models", pictures=folder)
    made = export(
        checkpoint, tmp_path / "models", pictures=folder, pictures_licence="A. Nybody; CC0"
    )
    golden = read_golden(made)
    assert golden.natural == 3
    assert (golden.images[:3].flatten(1).float().std(1) == 0).all()
    assert "pictures (A. Nybody; CC0)" in render_card(made)
    with pytest.raises(ImageError, match="holds no pictures"):
        export(checkpoint, tmp_path, pictures=tmp_path / "models", pictures_licence="x")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ema_averages_parameters_and_leaves_buffers_bit_equal(
    architecture: str, tmp_path: Path
) -> None:
    apart = {"shared_net": False} if architecture == "cinc_quad" else {}
    overrides = {**OVERRIDES, "net_actnorm": True, **apart}
    last = run(tmp_path, 4, architecture=architecture, overrides=overrides)
    checkpoint = torch.load(last, weights_only=True)
    average, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    flow, _ = load_checkpoint(last)
    buffers = {name for name, _ in flow.named_buffers()}
    assert any("initialized" in name for name in buffers)
    assert set(average) == set(current) == {f"flow.{name}" for name in flow.state_dict()}
    for name in buffers:
        assert torch.equal(average[f"flow.{name}"], current[f"flow.{name}"]), name
        assert average[f"flow.{name}"].dtype == current[f"flow.{name}"].dtype
    parameters = {name for name, _ in flow.named_parameters()}
    changed = [n for n in parameters if not torch.equal(average[f"flow.{n}"], current[f"flow.{n}"])]
    assert len(changed) > len(parameters) / 2


def test_a_run_that_is_short_against_the_decay_is_warned_of(tmp_path: Path, recwarn) -> None:
    run(tmp_path / "long", 2)
    assert not [found for found in recwarn if "is short against" in str(found.message)]
    with pytest.warns(UserWarning, match=r"2 steps is short against ema.decay 0.999.* 1,000 steps"):
        run(tmp_path / "short", 2, "--ema.decay", "0.999")


def test_images_of_another_size_than_the_configuration_are_refused(tmp_path: Path) -> None:
    message = r"are \(C, H, W\) = \(1, 8, 8\), the flow's configuration says \(1, 16, 16\)"
    with pytest.raises(ConfigError, match=message):
        run(tmp_path, 4, overrides={**OVERRIDES, "size": [16, 16]})


@pytest.mark.parametrize(("decay", "kept"), [(0.75, (2 / 11, 3 / 12)), (0.2, (2 / 11, 0.2))])
def test_ema_is_the_recursion_with_a_warm_up(tmp_path: Path, decay: float, kept) -> None:
    module = FlowModule("finc", "compact_mnist", OVERRIDES, schedule="constant", warmup_steps=1)
    history = []

    class Record(L.Callback):
        def on_train_batch_end(self, trainer, module, *_) -> None:
            history.append(copy.deepcopy(module.flow.state_dict()))

    trainer = L.Trainer(
        max_steps=3,
        callbacks=[Record(), EMA(decay=decay)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accelerator="cpu",
        default_root_dir=tmp_path,
        limit_val_batches=0,
    )
    trainer.fit(module, datamodule=ImageData("digits", val_images=100))
    name = "blocks.0.bijections.1.taps"
    first, second, third = (state[name] for state in history)
    second = kept[0] * first + (1 - kept[0]) * second
    expected = kept[1] * second + (1 - kept[1]) * third
    assert_close(module.flow.state_dict()[name], expected)


def test_the_average_of_a_short_run_is_of_trained_weights() -> None:
    """300 equal updates: all but a thousandth of the average is from after the first 30."""
    weights = torch.nn.ParameterList([torch.zeros(1)])
    average = Average(weights, torch.device("cpu"), decay=0.999)
    for step in range(300):
        torch.nn.init.constant_(weights[0], float(step > 30))
        average.update_parameters(weights)
    assert float(average.module[0]) > 0.999


@pytest.mark.parametrize("decay", [-0.1, 1.0, 2.0])
def test_a_decay_that_is_no_share_is_refused(decay: float) -> None:
    with pytest.raises(ConfigError, match="ema.decay must be from 0 up to 1"):
        EMA(decay)


def test_the_recipe_says_what_the_command_line_changed(trained: Path, tmp_path: Path) -> None:
    options = ["--data.dir", "not part of it", "--model.lr", "1e-4", "--seed_everything=3"]
    folder = export(run(tmp_path, 1, *options), tmp_path)
    text = (folder / "recipe.yaml").read_text()
    assert (
        "# Of these options of the command line, too: --model.lr 1e-4 --seed_everything=3" in text
    )
    resolved, plain = map(yaml.safe_load, (text, (tmp_path / "recipe.yaml").read_text()))
    assert (resolved["model"]["lr"], resolved["seed_everything"]) == (1e-4, 3)
    assert resolved["model"]["overrides"] == plain["model"]["overrides"]
    assert "not part of it" not in text


def test_the_resolved_recipe_trains_the_same_again(tmp_path: Path) -> None:
    folder = export(run(tmp_path / "a", 1, "--model.lr", "1e-3", "--ema.decay=0.3"), tmp_path)
    again = tmp_path / "b"
    train(["--config", str(folder / "recipe.yaml"), "--checkpoint.dirpath", str(again)])
    first, second = (
        read_checkpoint(place / "last.ckpt")["state_dict"]
        for place in (tmp_path / "a" / "checkpoints", again)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_recipes_that_are_merged_are_kept_as_one(tmp_path: Path) -> None:
    second = tmp_path / "second.yaml"
    second.write_text("trainer:\n  max_steps: 2\n  val_check_interval: 2")
    last = run(tmp_path / "a", 4, "--config", str(second))
    merged = yaml.safe_load(read_checkpoint(last)["recipe"])["trainer"]
    assert (merged["max_steps"], merged["log_every_n_steps"]) == (2, 1)


def test_a_run_without_a_logger_leaves_the_users_files_alone(tmp_path: Path) -> None:
    recipe = tmp_path / "config.yaml"
    recipe.write_text("# of the user\n")
    trainer = {"max_steps": 2, "val_check_interval": 2, "logger": False}
    tiny_run(tmp_path, trainer=trainer)
    assert recipe.read_text() == "# of the user\n"


def test_a_checkpoint_does_not_choose_where_it_is_exported_to(
    trained: Path, tmp_path: Path
) -> None:
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    checkpoint["datamodule_hyper_parameters"]["name"] = "x/../../victim"
    torch.save(checkpoint, tmp_path / "evil.ckpt")
    with pytest.raises(ArgumentError, match="is no name of a model"):
        export(tmp_path / "evil.ckpt", tmp_path / "models")
    assert not (tmp_path / "victim").exists()


def test_a_recipe_for_fine_tuning_without_a_model_is_said_to_start_anew(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="it trains from random weights"):
        tiny_run(tmp_path, finetune={"actnorm": "keep"}, trainer={"max_steps": 1})


def test_init_from_starts_with_the_weights_of_a_model(trained: Path, tmp_path: Path) -> None:
    flow, _ = load_checkpoint(trained / "checkpoints" / "last.ckpt")
    save_folder(flow, tmp_path / "model")
    source = f"local-dir:{tmp_path / 'model'}"
    last = run(tmp_path / "tuned", 2, "--init_from", source, lr=0.0)
    tuned, _ = load_checkpoint(last)
    assert_close(tuned.state_dict(), flow.state_dict(), rtol=0, atol=0)
    resumed = run(tmp_path / "resumed", 3, "--ckpt_path", str(last))
    for checkpoint in (last, resumed):
        exported = export(checkpoint, tmp_path / "exported")
        sha256 = content_hash(flow.state_dict())
        parent = {"name": "model", "sha256": sha256, "identity": identity(flow)}
        assert read_config(exported)["parent"] == parent
    with pytest.raises(ConfigError, match="pass one of them"):
        run(tmp_path / "both", 2, "--init_from", source, "--ckpt_path", str(last))
    with pytest.raises(ConfigError, match="another flow than the recipe's"):
        run(tmp_path / "other", 2, "--init_from", source, overrides={**OVERRIDES, "steps": 2})


@pytest.mark.parametrize(
    ("schedule", "at_55", "at_90", "at_100"),
    [
        ("cosine", 0.422, 0.024, 0),
        ("trapezoid", 1, 0.5, 0),
        ("linear", 0.45, 0.1, 0),
        ("constant", 1, 1, 1),
    ],
)
def test_the_schedule_warms_up_and_decays(schedule, at_55, at_90, at_100) -> None:
    class Trainer:
        estimated_stepping_batches: float = 100

    module = FlowModule("finc", "compact_mnist", OVERRIDES, warmup_steps=10, schedule=schedule)
    module._trainer = Trainer()  # type: ignore[assignment]
    factors = [module._lr_factor(step) for step in range(101)]
    assert factors[0] < 0.11
    assert max(factors) == max(factors[8:12])
    assert [factors[i] for i in (55, 90, 100)] == pytest.approx([at_55, at_90, at_100], abs=1e-3)
    Trainer.estimated_stepping_batches = math.inf  # without an end there is nothing to decay to
    assert module._lr_factor(10**6) == 1
