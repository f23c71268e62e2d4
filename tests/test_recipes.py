"""Every recipe: its header, its configuration, and for the compact ones a short run."""

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import lightning as L
import pytest
import torch
import yaml

import zoo
from tests.folders import export, save_folder
from tests.training.official import noise, picture, write_cifar10, write_idx, write_labels
from zoo.architectures import ARCHITECTURES, build
from zoo.config import FlowConfig
from zoo.data import load_images
from zoo.sources import MODELS
from zoo.tabular.tabular_cli import train_tabular
from zoo.tabular.task import TabularModule
from zoo.training import lightning_cli as cli
from zoo.training.module import DensityModule, FlowModule

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "recipes"
RECIPES = [path.relative_to(ROOT) for path in sorted(FOLDER.rglob("*.yaml"))]
COMMANDS = {"train": cli.train, "train-tabular": train_tabular}
COMPACT = ("mnist", "fashion_mnist", "cifar10")
CLIP = "gradient_clip_val"
LARGE = ("cifar10", "imagenet32", "imagenet64", "celeba64", "galaxy")


def is_tabular(path: Path) -> bool:
    return "tabular" in path.parts


def is_full_size(path: Path) -> bool:
    return "paper" in path.parts


def recipes(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[str(path)[8:-5] for path in paths])


def read(path: Path) -> dict:
    return yaml.safe_load((ROOT / path).read_text())


# Headers.


@recipes(RECIPES)
def test_the_header_has_the_command_and_what_came_of_it(path: Path) -> None:
    lines = (ROOT / path).read_text().splitlines()
    header = [line[2:] for line in lines if line.startswith("# ")]
    assert lines[: len(header)] == [f"# {line}" for line in header], "it comes first"
    command = "train-tabular" if is_tabular(path) else "train"
    assert any(line.startswith(f"flowzoo {command} --config {path}") for line in header)
    result = " ".join(header)
    ran = re.search(r"(core|thread|GPU).*\b(min|s)\b.*\d\.\d+ .*(bits/dim|nats)", result)
    assert ran or re.search(r"[Nn]ot run", result)
    assert max(map(len, lines)) <= 105


def test_every_architecture_has_its_recipes() -> None:
    compact = {FOLDER / data / f"{name}.yaml" for data in COMPACT for name in ARCHITECTURES}
    large = {
        FOLDER / "paper" / data / f"{name}.yaml"
        for data in LARGE
        for name, architecture in ARCHITECTURES.items()
        if f"paper_{data}" in architecture.presets
    }
    assert len(large) >= 20
    assert compact | large <= set(FOLDER.rglob("*.yaml"))


def test_no_recipe_writes_into_the_folder_of_another() -> None:
    folders = [read(path)["trainer"]["default_root_dir"] for path in RECIPES]
    assert len(set(folders)) == len(folders)
    for path, folder in zip(RECIPES, folders, strict=True):
        assert read(path)["checkpoint"]["dirpath"] == f"{folder}/checkpoints"


def test_all_galaxies_are_trained_with_one_paper_s_settings() -> None:
    def settings(path: Path) -> dict:
        recipe = read(path)
        del recipe["checkpoint"], recipe["trainer"]["default_root_dir"]
        del recipe["model"]["architecture"]
        return recipe

    found = [settings(path) for path in RECIPES if path.parent.name == "galaxy"]
    assert len(found) == 5
    assert all(other == found[0] for other in found)


def test_the_gradient_is_clipped_where_the_paper_s_is() -> None:
    clipped = [path for path in RECIPES if is_full_size(path) and CLIP in read(path)["trainer"]]
    assert {path.parent.name for path in clipped} == {"imagenet32", "imagenet64", "celeba64"}
    for path in clipped:
        model = read(path)["model"]
        config = ARCHITECTURES[model["architecture"]].preset(model["preset"])
        dimensions = config.channels * math.prod(config.size)
        # 1 of the gradient of nats; the loss is bits/dim.
        equal = 1 / (dimensions * math.log(2))
        assert read(path)["trainer"][CLIP] == pytest.approx(equal, rel=0.01)


def test_two_processes_do_what_the_recipe_of_one_does() -> None:
    one, two = (read(Path(f"recipes/mnist/{name}.yaml")) for name in ("finc", "finc_ddp"))
    for part in ("strategy", "accelerator"):
        del two["trainer"][part]
    processes = two["trainer"].pop("devices")
    two["data"]["batch_size"] *= processes
    two["trainer"]["limit_val_batches"] *= processes
    for recipe in (one, two):
        del recipe["checkpoint"], recipe["trainer"]["default_root_dir"]
    assert two == one


# Configurations.


@dataclass
class Made:
    """Objects that the command line makes of a recipe."""

    trainer: L.Trainer
    module: DensityModule
    data: L.LightningDataModule


@pytest.fixture
def instantiate(monkeypatch, tmp_path: Path):
    """Run the command of a recipe up to where it would begin to train."""
    made = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        L.Trainer,
        "fit",
        lambda trainer, model, datamodule, **_: made.append((trainer, model, datamodule)),
    )
    monkeypatch.setattr(L.Trainer, "test", lambda *_, **__: None)

    def instantiate(path: Path, *options: str) -> Made:
        command = COMMANDS["train-tabular" if is_tabular(path) else "train"]
        # Recipes for several GPUs are built where there are fewer, or none.
        command(["--config", str(ROOT / path), "--trainer.accelerator", "cpu", *options])
        return Made(*made.pop())

    return instantiate


@recipes([path for path in RECIPES if not is_full_size(path)])
def test_the_command_line_takes_it(path: Path, instantiate) -> None:
    made = instantiate(path)
    assert made.trainer.default_root_dir == read(path)["trainer"]["default_root_dir"]
    if is_tabular(path):
        return
    hparams, dataset = made.module.hparams, made.data.hparams["name"]
    start = "mnist" if path.stem == "finetune" else dataset
    conditional = "_conditional" * path.stem.endswith("_conditional")
    model = MODELS.get(f"{hparams['architecture']}_{start}{conditional}")
    preset = model.preset if model else f"compact_{dataset}"
    of_folder = {"free": f"{preset}_free", "large": f"large_{dataset}"}
    assert hparams["preset"] == of_folder.get(path.parent.name, preset)
    resolved = Path("resolved.yaml")
    resolved.write_text(made.module.recipe)
    again = instantiate(resolved.resolve())
    assert "--trainer.accelerator cpu" in made.module.recipe
    assert again.module.hparams == made.module.hparams
    assert again.data.hparams == made.data.hparams
    assert again.trainer.default_root_dir == made.trainer.default_root_dir
    if path.parent != Path("recipes"):
        assert dataset in path.parts
        assert path.stem.startswith(hparams["architecture"])


def parameters(config: FlowConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(config).parameters())


@recipes([path for path in RECIPES if is_full_size(path)])
def test_the_command_line_takes_the_full_size(path: Path, instantiate) -> None:
    """Its flow is made with one step a level; all steps are alike."""
    with torch.device("meta"):
        made = instantiate(path, "--model.overrides", '{"steps": 1}')
    hparams = made.module.hparams
    assert {parameter.device.type for parameter in made.module.flow.parameters()} == {"meta"}
    assert made.data.hparams["name"] == path.parent.name
    assert hparams["architecture"] == path.stem
    assert hparams["preset"] == f"paper_{path.parent.name}"
    assert "overrides" not in read(path)["model"]
    config = ARCHITECTURES[path.stem].presets[hparams["preset"]]
    assert made.module.flow.config == replace(config, steps=1)
    stated = re.search(r"full size: (\d+) million parameters", (ROOT / path).read_text())
    assert stated is not None
    one, two = (parameters(replace(config, steps=steps)) for steps in (1, 2))
    assert int(stated[1]) == round((one + (config.steps - 1) * (two - one)) / 1e6)


# Runs.


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Iterator[Path]:
    """Small data sets of noise, laid out as the official ones."""
    directory = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("mnist", "fashion_mnist"):
            write_idx(patch, name, directory, noise(24, 28, 28), noise(4, 28, 28, seed=1))
            write_labels(patch, name, directory, [i % 10 for i in range(24)], [0] * 4)
        write_cifar10(patch, directory, noise(25, 3, 32, 32), noise(4, 3, 32, 32, seed=1))
        for split in ("train", "val", "test"):  # photographs
            (directory / split).mkdir()
            picture(130, 200).save(directory / split / "a.png")
        yield directory


@pytest.fixture
def losses(monkeypatch) -> list[float]:
    """The loss of every training step."""
    found: list[float] = []
    step = FlowModule.training_step

    def recorded(module: FlowModule, images: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = step(module, images, batch_idx)
        found.append(float(loss.detach()))
        return loss

    monkeypatch.setattr(FlowModule, "training_step", recorded)
    return found


SMALL = {"steps": 1, "hidden_channels": 8}
SHORT = {
    "--trainer.accelerator": "cpu",
    "--trainer.max_steps": "2",
    "--trainer.num_sanity_val_steps": "0",
    "--trainer.log_every_n_steps": "1",
    "--trainer.enable_progress_bar": "false",
    "--trainer.enable_model_summary": "false",
    "--checkpoint.save_top_k": "-1",
}
SHRUNK = {
    **SHORT,
    "--data.batch_size": "4",
    "--data.val_images": "4",
    "--trainer.strategy": "auto",
    "--trainer.devices": "1",
    "--checkpoint.monitor": "null",
    "--checkpoint.every_n_train_steps": "1",
    "--pictures.count": "2",
}
# A table's best checkpoint is tested, so it is validated after every step.
VALIDATED = ["--trainer.val_check_interval=1", "--trainer.check_val_every_n_epoch=null"]


def overrides(path: Path) -> dict:
    """Overrides of a recipe, and those that shrink its flow."""
    return {**read(path)["model"].get("overrides", {}), **SMALL}


def shrunk(path: Path, **changes: str) -> list[str]:
    """Options that make a recipe's run short."""
    options = {"--model.overrides": json.dumps(overrides(path)), **SHRUNK, **changes}
    return [part for option in options.items() for part in option]


def start(path: Path, folder: Path) -> list[str]:
    """Start of --init_from, shrunk as the recipe, if the recipe's command has it."""
    if "--init_from" not in (ROOT / path).read_text():
        return []
    model = read(path)["model"]
    preset = ARCHITECTURES[model["architecture"]].preset(model["preset"], **overrides(path))
    save_folder(build(preset), folder)
    return ["--init_from", f"local-dir:{folder}"]


@recipes([path for path in RECIPES if not is_full_size(path) and not is_tabular(path)])
def test_it_trains_resumes_exports_and_encodes_exactly(
    path: Path, data_dir: Path, losses: list[float], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["--config", str(ROOT / path), "--data.dir", str(data_dir), *shrunk(path)]
    cli.train([*command, *start(path, tmp_path / "start")])
    checkpoints = Path(read(path)["checkpoint"]["dirpath"])
    uninterrupted = losses.copy()
    assert len(uninterrupted) == 2
    losses.clear()
    cli.train([*command, "--ckpt_path", str(checkpoints / "step=1.ckpt")])
    assert losses == uninterrupted[1:]
    folder = export(checkpoints / "last.ckpt", tmp_path / "models", data_dir=data_dir)
    flow = zoo.load(f"local-dir:{folder}")
    wanted = {**read(path)["model"].get("overrides", {}), **SMALL}
    assert wanted.items() <= flow.config.to_dict().items()
    shape = {"size": flow.config.size, "channels": flow.config.channels}
    images = load_images(read(path)["data"]["name"], data_dir, "test", **shape)[:8]
    assert torch.equal(flow.decode(flow.encode(images)), images)


@pytest.fixture
def likelihoods(monkeypatch) -> list[float]:
    """Likelihoods of all training steps of a table."""
    found: list[float] = []
    step = TabularModule.training_step

    def recorded(module: TabularModule, rows: torch.Tensor, batch_idx: int) -> torch.Tensor:
        loss = step(module, rows, batch_idx)
        found.append(float(loss.detach()))
        return loss

    monkeypatch.setattr(TabularModule, "training_step", recorded)
    return found


@recipes([path for path in RECIPES if is_tabular(path)])
def test_it_trains_on_its_table_and_resumes(
    path: Path, likelihoods: list[float], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [part for option in SHORT.items() for part in option]
    command = ["--config", str(ROOT / path), *options, *VALIDATED]
    train_tabular(command)
    uninterrupted = likelihoods.copy()
    assert len(uninterrupted) == 2
    likelihoods.clear()
    first = Path(read(path)["checkpoint"]["dirpath"], "step=1.ckpt")
    train_tabular([*command, "--ckpt_path", str(first)])
    assert likelihoods == uninterrupted[1:]
    result = json.loads(Path(read(path)["trainer"]["default_root_dir"], "test.json").read_text())
    assert math.isfinite(result["log_likelihood_nats"])


def test_two_processes_train_together(tmp_path: Path) -> None:
    for split, count in {"train": 24, "test": 1}.items():
        (tmp_path / split).mkdir()
        for i in range(count):
            picture(28, 28, "L", seed=i).save(tmp_path / split / f"{i}.png")
    changes = {
        "--trainer.strategy": "ddp",
        "--trainer.devices": "2",
        "--data.name": "folder",
        "--data.dir": str(tmp_path),
        "--data.size": "28",
        "--data.grey": "true",
    }
    recipe = FOLDER / "mnist" / "finc_ddp.yaml"
    options = ["--config", str(recipe), *shrunk(recipe, **changes)]
    command = [sys.executable, "-m", "zoo", "train", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    last = tmp_path / "runs/finc_mnist_ddp/checkpoints/last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    assert (checkpoint["ranks"], checkpoint["global_step"]) == (2, 2)
