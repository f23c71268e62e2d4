import csv
from functools import partial
from pathlib import Path

import pytest

from benchmarks import scaling
from zoo.training.image_data import ImageData
from zoo.training.module import FlowModule


def test_the_command_writes_medians_and_how_they_scale(
    run_benchmark, tmp_path, monkeypatch
) -> None:
    rates = iter([8.0, 12.0, 10.0, 18.0, 90.0, 15.0])  # of 1 and 2 processes, in turns

    def fresh(processes: int, data_dir: Path) -> dict[str, float]:
        return dict.fromkeys(scaling.TASKS, next(rates))

    monkeypatch.setattr(scaling, "_in_fresh_processes", fresh)
    code, out, _ = run_benchmark("scaling", "--data-dir", tmp_path, "-o", tmp_path)
    assert code == 0
    assert "training" in out
    rows = list(csv.DictReader((tmp_path / "scaling.csv").open()))
    found = [(row["processes"], row["images_per_second"], row["efficiency"]) for row in rows]
    assert found == [("1", "10", "1"), ("2", "15", "0.75")] * 2
    assert [row["task"] for row in rows] == ["training", "training", "encoding", "encoding"]


@pytest.mark.parametrize("task", scaling.TASKS)
def test_a_task_is_measured(task: str, tmp_path, monkeypatch) -> None:
    for name, value in {"DATASET": "digits", "WARM_UP": 1, "TRAIN_STEPS": 2, "SHARDS": 1}.items():
        monkeypatch.setattr(scaling, name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scaling, "TRAIN_BATCH", 4)
    monkeypatch.setattr(scaling, "ImageData", partial(ImageData, val_images=100))
    monkeypatch.setattr(scaling, "FlowModule", partial(FlowModule, overrides={"size": [8, 8]}))
    assert 1 < scaling.TASKS[task](1, tmp_path) < 1e6
