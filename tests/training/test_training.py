"""Training end to end, on scikit-learn's digits."""

import copy
from pathlib import Path

import lightning as L
import pytest
import torch
import yaml
from torch.testing import assert_close

from zoo import load
from zoo.cards import write_card
from zoo.errors import ConfigError, NonFiniteError
from zoo.golden import Golden
from zoo.publish import validate
from zoo.registry import MODELS
from zoo.training.callbacks import EMA
from zoo.training.cli import FlowCLI, train
from zoo.training.data import ImageData, load_images
from zoo.training.export import export, load_checkpoint
from zoo.training.module import FlowModule
from zoo.weights import content_hash, read_config, save_folder

FOLDER = Path(__file__).parents[2] / "recipes"
RECIPES = sorted(set(FOLDER.rglob("*.yaml")) - set(FOLDER.glob("tabular/*.yaml")))
OVERRIDES = {"size": [8, 8], "steps": 1, "hidden_channels": 4}


def recipe(folder: Path, steps: int, **model) -> dict:
    return {
        "model": {
            "architecture": "finc",
            "preset": "compact_mnist",
            "overrides": OVERRIDES,
            "warmup_steps": 2,
            "schedule": "constant",
            **model,
        },
        "data": {"name": "digits", "batch_size": 32, "val_images": 100},
        "trainer": {
            "max_steps": steps,
            "val_check_interval": 2,
            "check_val_every_n_epoch": None,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "accelerator": "cpu",
            "default_root_dir": str(folder),
            "log_every_n_steps": 1,
        },
        "checkpoint": {"dirpath": str(folder / "checkpoints"), "save_top_k": -1},
        "ema": {"decay": 0.5},
        "pictures": {"count": 4},
    }


def run(folder: Path, steps: int, *arguments: str, **model) -> Path:
    """Train and return the last checkpoint."""
    folder.mkdir(exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(folder, steps, **model)))
    train(["--config", str(path), *arguments])
    return folder / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder of a run of 6 steps."""
    folder = tmp_path_factory.mktemp("trained")
    run(folder, 6)
    return folder


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_a_registered_model_s(path: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli = FlowCLI(
        FlowModule, ImageData, args=["--config", str(path)], run=False, save_config_callback=None
    )
    hparams = cli.model.hparams
    dataset = cli.datamodule.hparams["name"]
    model = MODELS[f"{hparams['architecture']}_{dataset}"]
    assert hparams["preset"] == model.preset
    assert path.parent.name == dataset
    assert path.stem.startswith(model.architecture)


def test_training_lowers_bits_per_dim(tmp_path: Path) -> None:
    before = load_checkpoint(run(tmp_path / "a", 2, lr=5e-3))[0]
    after = load_checkpoint(run(tmp_path / "b", 60, lr=5e-3))[0]
    images = load_images("digits", "", "test")
    with torch.no_grad():
        assert after.bits_per_dim(images).mean() < before.bits_per_dim(images).mean() - 0.5


def test_a_resumed_run_continues_where_it_stopped(trained: Path, tmp_path: Path) -> None:
    interrupted = trained / "checkpoints" / "step=4.ckpt"
    last = run(tmp_path / "resumed", 6, "--ckpt_path", str(interrupted))
    start, end = (torch.load(path, weights_only=True) for path in (interrupted, last))
    assert (start["global_step"], end["global_step"]) == (4, 6)
    assert [c["optimizer_states"][0]["state"][0]["step"] for c in (start, end)] == [4, 6]
    assert [int(c["averaging_state"]["n_averaged"]) for c in (start, end)] == [4, 6]
    # Two small steps away from the weights that training had, not from the averaged ones.
    name = "flow.blocks.0.bijections.1.taps"
    moved = end["current_model_state"][name] - start["current_model_state"][name]
    assert 0 < moved.abs().max() < 3e-3


def test_pictures_are_written(trained: Path) -> None:
    names = {path.name.split("_")[1] for path in trained.rglob("pictures/*.png")}
    assert names == {"samples.png", "reconstructions.png"}


def test_an_exported_checkpoint_loads_and_encodes_exactly(trained: Path, tmp_path: Path) -> None:
    checkpoint = trained / "checkpoints" / "last.ckpt"
    folder = export(checkpoint, tmp_path, data_dir=trained)
    assert folder == tmp_path / "finc_digits"
    assert Golden.load(folder).natural == 16
    stale = [folder / name for name in ("eval.json", "README.md", "samples.png")]
    for path in stale:
        path.write_text("{}")
    export(checkpoint, tmp_path, data_dir=trained)
    assert not any(path.exists() for path in stale), "they were of the weights before"
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


def test_ema_averages_parameters_and_leaves_buffers_bit_equal(trained: Path) -> None:
    checkpoint = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    average, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    parameters = {
        name for name, _ in load_checkpoint(trained / "checkpoints/last.ckpt")[0].named_parameters()
    }
    for name, value in current.items():
        if name.removeprefix("flow.") in parameters:
            continue
        assert torch.equal(average[name], value), name
        assert average[name].dtype == value.dtype
    changed = [n for n in parameters if not torch.equal(average[f"flow.{n}"], current[f"flow.{n}"])]
    assert len(changed) > len(parameters) / 2


def test_ema_is_the_recursion(tmp_path: Path) -> None:
    module = FlowModule("finc", "compact_mnist", OVERRIDES, schedule="constant", warmup_steps=1)
    history = []

    class Record(L.Callback):
        def on_train_batch_end(self, trainer, module, *_) -> None:
            history.append(copy.deepcopy(module.flow.state_dict()))

    trainer = L.Trainer(
        max_steps=3,
        callbacks=[Record(), EMA(decay=0.75)],
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
    expected = 0.75 * (0.75 * first + 0.25 * second) + 0.25 * third
    assert_close(module.flow.state_dict()[name], expected)


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
        parent = {"name": "model", "sha256": content_hash(flow.state_dict())}
        assert read_config(exported)["parent"] == parent
    with pytest.raises(ConfigError, match="pass one of them"):
        run(tmp_path / "both", 2, "--init_from", source, "--ckpt_path", str(last))
    with pytest.raises(ConfigError, match="another flow than the recipe's"):
        run(tmp_path / "other", 2, "--init_from", source, overrides={**OVERRIDES, "steps": 2})


def test_a_gradient_that_is_not_finite_stops_loudly() -> None:
    module = FlowModule("finc", "compact_mnist", OVERRIDES)
    module.flow.blocks[0].bijections[1].taps.grad = torch.full((4, 1, 1, 8), float("nan"))
    with pytest.raises(NonFiniteError, match="step 0: the gradient is not finite. Lower"):
        module.on_before_optimizer_step(None)  # type: ignore[arg-type]


def test_a_loss_that_is_not_finite_stops_loudly() -> None:
    module = FlowModule("finc", "compact_mnist", OVERRIDES)
    torch.nn.init.constant_(module.flow.blocks[0].bijections[1].taps, float("inf"))
    with pytest.raises(NonFiniteError, match="step 0: log_prob is not finite"):
        module.training_step(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), 0)


def test_the_schedule_warms_up_and_decays_to_zero() -> None:
    class Trainer:
        estimated_stepping_batches = 100

    module = FlowModule("finc", "compact_mnist", OVERRIDES, warmup_steps=10)
    module._trainer = Trainer()  # type: ignore[assignment]
    factors = [module._lr_factor(step) for step in range(101)]
    assert factors[0] < 0.11
    assert max(factors) == max(factors[8:12])
    assert factors[100] == pytest.approx(0)
    assert factors[55] == pytest.approx(0.42, abs=0.01)
