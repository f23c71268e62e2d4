"""Runs with more room for black."""

from pathlib import Path
from typing import get_args

import pytest

from benchmarks import black, equal_runs
from tests.test_flow import noise, tiny
from zoo.architectures import ARCHITECTURES
from zoo.config import Preprocessing


@pytest.mark.parametrize("dataset", black.DATASETS)
def test_runs_differ_by_the_preprocessing_alone(dataset: str, tmp_path: Path) -> None:
    runs = [black.make_run(dataset, name, tmp_path, 0) for name in get_args(Preprocessing)]
    assert len({run.folder for run in runs}) == len(runs) == 3
    assert all((equal_runs.RECIPES / run.recipe).is_file() for run in runs)
    presets = ARCHITECTURES["finc"]
    configs = {presets.preset("compact_mnist", **run.overrides) for run in runs}
    assert configs == {presets.preset("compact_fashion_mnist", **run.overrides) for run in runs}
    assert len(configs) == 3


def test_a_run_s_flow_is_measured_on_black_and_on_hostile_images(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(black, "validation_images", lambda *_: noise(12))
    found = black.measure(tiny(preprocessing="wide_black"), "mnist", tmp_path)
    assert found["preprocessing"] == "wide_black"
    assert found["float32"] + found["float64"] + found["kept"] == found["hostile"] > 80
    assert found["black"] > 0
