import csv

import pytest

from benchmarks import load as load_benchmark
from zoo.errors import ArgumentError


def test_the_command_measures_every_way_of_loading(run_benchmark, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.commands.list_models", lambda pretrained: ["finc_mnist"])
    code, out, _ = run_benchmark("load", "--repeats", "1", "-o", tmp_path)
    assert code == 0
    assert "torch.hub.load" in out
    with (tmp_path / "load.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["way"] for row in rows] == list(load_benchmark.WAYS)
    assert all(0 < float(row["seconds"]) < 30 for row in rows)


def test_it_needs_a_clone(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(load_benchmark, "REPOSITORY", tmp_path)
    with pytest.raises(ArgumentError, match="run this from a clone"):
        load_benchmark.measure(["finc_mnist"], 1)
