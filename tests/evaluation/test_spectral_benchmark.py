import csv

import pytest
import torch

from benchmarks import spectral as spectral_benchmark
from benchmarks.spectral import measure
from zoo.bijections import CircularConv


@pytest.fixture(autouse=True)
def short(monkeypatch) -> None:
    monkeypatch.setattr(spectral_benchmark, "ELEMENTS", 1000)
    monkeypatch.setattr(spectral_benchmark, "LENGTHS", (8, 100))


def test_the_command_measures_every_length_and_writes(run_benchmark, tmp_path) -> None:
    code, out, _ = run_benchmark("spectral", "--repeats", "1", "-o", tmp_path)
    assert code == 0
    assert "circular" in out
    with (tmp_path / "spectral.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["convolution"], row["direction"], row["length"]) for row in rows} == {
        (name, way, length)
        for length in ("8", "100")
        for name, way in (
            *((name, way) for name in spectral_benchmark.LAYERS for way in ("forward", "inverse")),
            ("dense", "inverse"),
        )
    }
    assert all(float(row["nanoseconds_per_element"]) > 0 for row in rows)
    assert (tmp_path / "spectral.png").read_bytes().startswith(b"\x89PNG")


def test_dense_solves_stop_where_the_matrix_becomes_too_large(monkeypatch) -> None:
    monkeypatch.setattr(spectral_benchmark, "LONGEST_DENSE", 8)
    lengths = [row.length for n in (8, 9) for row in measure(n, 1) if row.convolution == "dense"]
    assert lengths == [8]


def test_the_dense_matrix_is_a_circular_convolution_s() -> None:
    with torch.no_grad():
        matrix = spectral_benchmark._circulant(6)
        eigenvalues = torch.fft.fft(matrix[:, 0])
        assert torch.allclose(matrix.roll((1, 1), (0, 1)), matrix, atol=1e-6)
        assert eigenvalues.abs().min() > CircularConv(1, 1).kernel.gain_bound ** -1
