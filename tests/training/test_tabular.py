"""Tables, and the training of flows of vectors."""

import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from zoo.errors import ConfigError, DataError
from zoo.tabular.tables import TABLES, TabularData, load_table
from zoo.tabular.tabular_cli import TabularCLI, train_tabular
from zoo.tabular.task import TabularModule
from zoo.training.metrics import LogLikelihood

RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "tabular").glob("*.yaml"))
ROWS = 1000


@pytest.fixture
def maf(tmp_path: Path) -> Path:
    """MAF's folder with small made-up files in the formats and layouts of the real ones."""
    rng = np.random.default_rng(0)
    for folder in ("power", "gas", "hepmass", "miniboone", "BSDS300"):
        (tmp_path / folder).mkdir()
    np.save(tmp_path / "power" / "data.npy", rng.normal(5, 3, (ROWS, 8)))
    sensors = rng.normal(size=(ROWS, 4)) * 7 + 2
    twins = sensors[:, :2] + rng.normal(size=(ROWS, 2)) * 0.01
    np.save(tmp_path / "gas" / "ethylene_CO.npy", np.hstack([sensors, twins]))
    np.save(tmp_path / "miniboone" / "data.npy", rng.normal(-1, 4, (ROWS, 43)))
    for split, extra in (("train", 0), ("test", 1)):
        columns = rng.normal(3, 2, (ROWS, 5 + extra))
        columns[:, 1] = rng.integers(0, 3, ROWS)  # lumped
        table = np.hstack([rng.integers(0, 2, (ROWS, 1)), columns])
        header = ",".join(["# label", *(f"f{i}" for i in range(5 + extra))])
        path = tmp_path / "hepmass" / f"1000_{split}.csv"
        np.savetxt(path, table, delimiter=",", header=header, comments="")
    with h5py.File(tmp_path / "BSDS300" / "BSDS300.hdf5", "w") as file:
        for name, count in (("train", 80), ("validation", 10), ("test", 20)):
            file[name] = rng.normal(size=(count, 63)).astype(np.float32)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "features", "rows"),
    [
        ("power", 6, (810, 90, 100)),
        ("gas", 4, (810, 90, 100)),
        ("miniboone", 43, (810, 90, 100)),
        ("bsds300", 63, (80, 10, 20)),
        ("breast_cancer", 30, (462, 51, 56)),
        ("patches", 63, (6869, 763, 848)),
    ],
)
def test_tables_have_their_columns_and_splits(maf, name: str, features: int, rows) -> None:
    table = load_table(name, maf)
    assert tuple(split.shape for split in table) == tuple((n, features) for n in rows)
    assert not any(np.isnan(split).any() for split in table)


@pytest.mark.parametrize("name", ["power", "hepmass", "miniboone"])
def test_maf_standardises_by_train_and_validation(maf, name: str) -> None:
    table = load_table(name, maf)
    known = np.vstack([table.train, table.val])
    np.testing.assert_allclose(known.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(known.std(0), 1, atol=1e-9)


def test_hepmass_keeps_signal_and_smooth_columns(maf) -> None:
    raw = np.loadtxt(maf / "hepmass" / "1000_test.csv", delimiter=",", skiprows=1)
    table = load_table("hepmass", maf)
    signal = raw[raw[:, 0] == 1]
    assert table.test.shape == (len(signal), 4)
    for ours, column in enumerate((1, 3, 4, 5)):  # without the lumped one and the test's extra one
        assert np.corrcoef(table.test[:, ours], signal[:, column])[0, 1] == pytest.approx(1)


def test_power_s_noise_is_of_each_column_s_resolution(maf) -> None:
    raw = np.load(maf / "power" / "data.npy")
    np.random.RandomState(42).shuffle(raw)
    power = load_table("power", maf)
    ours = np.vstack(power)
    for column, (source, resolution) in enumerate(
        [(0, 0.001), (2, 0.01), (4, 1), (5, 1), (6, 1), (7, 0)]
    ):
        noisy = raw[:, source] + resolution / 2
        slope, start = np.polyfit(ours[:, column], noisy, 1)
        error = np.abs(ours[:, column] * slope + start - noisy).max()
        assert error <= resolution * 0.7 + 1e-9
        assert error >= resolution * 0.4


def test_gas_keeps_one_of_each_pair_of_twins(maf) -> None:
    table = load_table("gas", maf)
    correlation = np.corrcoef(np.vstack(table).T)
    assert (correlation - np.eye(4)).max() < 0.5


def test_patches_are_of_mean_zero_before_the_last_pixel_is_dropped() -> None:
    table = load_table("patches", "")
    last = -np.vstack(table).sum(1)
    assert np.abs(last).max() < 1
    assert np.corrcoef(last, np.vstack(table)[:, -1])[0, 1] > 0.5  # a neighbour of it


def test_missing_and_dangerous_files_are_refused(maf) -> None:
    with pytest.raises(DataError, match=r"power cannot be read: .*data.npy.*files' layout"):
        load_table("power", maf / "nowhere")
    evil = np.array([{"a": 1}], dtype=object)
    np.save(maf / "miniboone" / "data.npy", evil, allow_pickle=True)
    with pytest.raises(DataError, match="allow_pickle=False"):
        load_table("miniboone", maf)
    with pytest.raises(DataError, match="no table 'pover'. Did you mean power"):
        load_table("pover", maf)


def test_data_modules_give_float32_batches() -> None:
    data = TabularData("breast_cancer", batch_size=100)
    data.setup("fit")
    assert {(tuple(b.shape), b.dtype) for b in data.train_dataloader()} == {
        ((100, 30), torch.float32)
    }
    assert sum(len(batch) for batch in data.test_dataloader()) == 56


def test_the_metric_is_the_mean_and_its_standard_error() -> None:
    values, metric = torch.randn(100, dtype=torch.float64), LogLikelihood()
    for part in values.split(30):
        metric.update(part)
    mean, error = metric.compute()
    assert float(mean) == pytest.approx(float(values.mean()))
    assert float(error) == pytest.approx(float(values.std()) / 10)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_fits_its_table(path: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    cli = TabularCLI(
        TabularModule,
        TabularData,
        args=["--config", str(path)],
        run=False,
        save_config_callback=None,
    )
    kind, dataset = path.stem.split("_", 1)
    assert cli.datamodule.hparams["name"] == dataset
    assert load_table(dataset, "").train.shape[1] == cli.model.config.features
    assert (cli.model.config.convolution == "none") == (kind == "realnvp")


def test_each_baseline_is_as_large_as_its_conf() -> None:
    def parameters(kind: str, dataset: str) -> int:
        recipe = yaml.safe_load((RECIPES[0].parent / f"{kind}_{dataset}.yaml").read_text())
        module = TabularModule(**recipe["model"])
        return sum(parameter.numel() for parameter in module.flow.parameters())

    for dataset in ("breast_cancer", "patches"):
        conf, realnvp = (parameters(kind, dataset) for kind in ("conf", "realnvp"))
        assert conf == pytest.approx(realnvp, rel=0.05)


def test_training_is_tested_on_the_best_checkpoint(tmp_path: Path) -> None:
    def log_likelihood(steps: int) -> dict:
        folder = tmp_path / str(steps)
        options = {
            **{"model.features": 30, "model.steps": 2, "model.hidden_features": 8},
            **{"model.lr": 5e-3, "model.warmup_steps": 1, "data.name": "breast_cancer"},
            **{"trainer.max_steps": steps, "trainer.check_val_every_n_epoch": steps},
            **{"trainer.accelerator": "cpu", "trainer.log_every_n_steps": 1, "ema.decay": 0.5},
            **{"trainer.enable_progress_bar": "false", "trainer.enable_model_summary": "false"},
            **{"trainer.default_root_dir": folder, "checkpoint.dirpath": folder / "checkpoints"},
        }
        train_tabular([f"--{name}={value}" for name, value in options.items()])
        return json.loads((folder / "test.json").read_text())

    start, end = log_likelihood(1), log_likelihood(40)
    assert end["log_likelihood_nats"] > start["log_likelihood_nats"] + 1
    assert end["rows"] == 56
    assert end["standard_error"] > 0
    assert end["dataset"] == "breast_cancer"


def test_bad_factors_are_refused() -> None:
    with pytest.raises(ConfigError, match="gate must be one of"):
        TabularModule(features=5, factors={"gate": "relu"})


def test_every_table_is_tried_here() -> None:
    assert set(TABLES) == {
        *("power", "gas", "hepmass", "miniboone", "bsds300", "breast_cancer", "patches")
    }


def test_a_package_that_is_missing_is_called_what_pip_calls_it(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match="patches needs scikit-learn: pip install scikit-learn"):
        load_table("patches", tmp_path)
