"""The dry run of the GPU benchmark, and what it measures with."""

import json
import subprocess
import sys

import pytest
import torch
from torch.testing import assert_close

from benchmarks.on_gpu.report import Report, Setup
from benchmarks.on_gpu.solvers import layer_of
from benchmarks.sequential import sequential


def test_the_dry_run_fills_every_section(tmp_path) -> None:
    command = [sys.executable, "-m", "benchmarks", "gpu", "--tiny", "--device", "cpu"]
    done = subprocess.run(
        [*command, "--out", tmp_path], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    sections = json.loads((tmp_path / "gpu.json").read_text())
    assert list(sections) == ["machine", "exact", "solvers", "flows", "training"]
    for name, rows in sections.items():
        assert rows, name
        assert not any("failed" in row or "stopped" in row for row in rows), rows
    (model,) = sections["exact"]
    assert all(model[key] for key in ("decoded here", "one by one", "hard images"))
    solved = [row for row in sections["solvers"] if row["method"] != "convolution"]
    assert max(row["relative error"] for row in solved) < 1e-5
    assert sum(row["chosen"] for row in solved) == 2
    slow = next(row for row in sections["flows"] if row["flow"] == "emerging, sequential")
    assert slow["off"] < 1e-4


@pytest.mark.parametrize("unit", ["finc", "full"])
def test_the_sequential_algorithm_inverts(unit: str) -> None:
    layer = layer_of(unit, 8, 3)
    with torch.no_grad():
        x = torch.randn(2, 8, 4, 5)
        assert_close(sequential(layer)(layer(x)[0]), x, atol=1e-5, rtol=1e-5)


def test_a_failure_is_a_row_and_time_over_stops(tmp_path) -> None:
    setup = Setup(torch.device("cpu"), 2, True)

    def failing(setup):
        yield {"a": 1}
        raise RuntimeError("as planned")

    report = Report(tmp_path / "gpu.json", budget=100)
    report.run("failing", failing, setup)
    late = Report(tmp_path / "late.json", budget=0)
    late.run("endless", lambda setup: iter([{"a": 1}] * 9), setup)
    assert json.loads((tmp_path / "gpu.json").read_text())["failing"] == [
        {"a": 1},
        {"failed": "RuntimeError: as planned"},
    ]
    assert [list(row) for row in late.sections["endless"]] == [["a"], ["stopped"]]
