import csv
from pathlib import Path

import pytest
import torch
from PIL import Image

from zoo.bijections import CircularConv
from zoo.evaluation import spectral_benchmark


@pytest.fixture(autouse=True)
def short(monkeypatch) -> None:
    monkeypatch.setattr(spectral_benchmark, "ELEMENTS", 1000)


def test_every_length_is_measured_and_written(tmp_path: Path) -> None:
    rows = spectral_benchmark.run(tmp_path, lengths=(8, 100))
    assert {(row.convolution, row.direction) for row in rows} == {
        *((name, way) for name in spectral_benchmark.LAYERS for way in ("forward", "inverse")),
        ("dense", "inverse"),
    }
    assert all(row.nanoseconds_per_element > 0 for row in rows)
    with (tmp_path / "spectral_benchmark.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [int(row["length"]) for row in written] == [row.length for row in rows]
    assert Image.open(tmp_path / "spectral_benchmark.png").size == (900, 600)


def test_dense_solves_stop_where_the_matrix_becomes_too_large(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(spectral_benchmark, "LONGEST_DENSE", 8)
    rows = spectral_benchmark.run(tmp_path, lengths=(8, 9))
    assert [row.length for row in rows if row.convolution == "dense"] == [8]


def test_the_dense_matrix_is_a_circular_convolution_s() -> None:
    with torch.no_grad():
        matrix = spectral_benchmark._circulant(6)
        eigenvalues = torch.fft.fft(matrix[:, 0])
        assert torch.allclose(matrix.roll((1, 1), (0, 1)), matrix, atol=1e-6)
        assert eigenvalues.abs().min() > CircularConv(1, 1).kernel.gain_bound ** -1
