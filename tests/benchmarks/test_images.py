"""The benchmark of whole photographs, on tiny ones."""

import csv
from pathlib import Path

import pytest

from benchmarks.images import MULTIPLE, size_of
from tests.folders import save_folder
from tests.test_flow import tiny


@pytest.mark.parametrize("megapixels", [0.25, 1.0, 4.0, 12.0])
def test_a_size_has_the_pixels_that_it_is_named_for(megapixels: float) -> None:
    height, width = size_of(megapixels)
    assert height % MULTIPLE == width % MULTIPLE == 0
    assert height * width / 1e6 == pytest.approx(megapixels, rel=0.03)


def test_the_command_writes_a_table_and_a_figure(run_benchmark, tmp_path: Path) -> None:
    save_folder(tiny("finc"), tmp_path / "model", {"name": "tiny", "dataset": "digits"})
    model = f"local-dir:{tmp_path / 'model'}"
    code, out, _ = run_benchmark(
        *("images", "--model", model, "-o", tmp_path),
        *("--megapixels", "0.002", "--megapixels", "0.01"),
    )
    assert code == 0
    assert "encode, verified" in out
    with (tmp_path / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    tasks = ["encode", "encode, verified", "decode"]
    assert [row["task"] for row in rows] == 2 * tasks
    assert all(0 < float(row["seconds"]) < 60 and float(row["gibibytes"]) < 2 for row in rows)
    assert (tmp_path / "images.png").stat().st_size > 1000
