import csv

import pytest
import torch

from benchmarks import budget as budget_benchmark
from benchmarks import training as training_benchmark
from benchmarks.training import LEVERS, Contestant, Row, race
from benchmarks.training_worker import make_step, pictures
from zoo.architectures import ARCHITECTURES

TINY = Contestant("glow", "compact_mnist", batch=2, steps=1)


def test_contestants_race_in_processes_of_their_own() -> None:
    peer = Contestant("normflows", "compact_mnist", 2, 1, fused=False, tuned=False)
    times, memory = race([TINY, peer], repeats=2)
    assert [len(own) for own in times] == [2, 2]
    assert all(0 < seconds < 60 for own in times for seconds in own)
    assert all(1 < mebibytes < 4000 for mebibytes in memory)


def test_a_contestant_that_fails_ends_the_race(capfd) -> None:
    with pytest.raises(RuntimeError, match="stopped with 1"):
        race([Contestant("glow", "no_such_size", 2, 1)], repeats=1)
    assert "no_such_size" in capfd.readouterr().err


@pytest.mark.parametrize("lever", [name for name in LEVERS if "compiled" not in name])
def test_every_option_trains(lever: str, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.training_worker.tune", lambda: None)
    step = make_step(Contestant("glow", "compact_mnist", 2, 1, **LEVERS[lever]))
    step()


def test_every_architecture_races_in_every_size_that_it_has() -> None:
    for preset in training_benchmark.SIZES:
        names = {c.name for _, c in training_benchmark._contestants(preset, 64)}
        assert names == {"normflows", *(n for n, a in ARCHITECTURES.items() if preset in a.presets)}


def test_pictures_use_many_grey_levels() -> None:
    images = pictures(ARCHITECTURES["glow"].preset("compact_cifar10"), 3)
    assert (images.shape, images.dtype) == ((3, 3, 32, 32), torch.uint8)
    assert len(images.unique()) > 100


def test_the_command_writes_a_table_and_a_figure(run_benchmark, tmp_path, monkeypatch) -> None:
    rows = [Row("compact_mnist", "normflows", "", 64, 100.0, 1.0, 2.0, 300.0, 2)]
    monkeypatch.setattr(training_benchmark, "measure", lambda size, repeats: rows)
    code, out, _ = run_benchmark("training", "--preset", "compact_mnist", "-o", tmp_path)
    assert code == 0
    assert "normflows" in out
    with (tmp_path / "training.csv").open() as file:
        assert [row["flow"] for row in csv.DictReader(file)] == ["normflows"]
    assert (tmp_path / "training.png").stat().st_size > 1000


@pytest.mark.parametrize("flow", ["normflows", "glow"])
def test_equal_minutes_train_and_score_both(flow: str, tmp_path, monkeypatch) -> None:
    def images(name, directory, split):
        return torch.randint(0, 256, (64, 1, 28, 28), dtype=torch.uint8)

    monkeypatch.setattr(budget_benchmark, "load_images", images)
    monkeypatch.setattr(budget_benchmark, "tune", lambda: None)
    row = budget_benchmark.train(flow, 0.01, tmp_path)
    assert row.steps >= 1
    # Uniform noise has 8 bits a pixel; a flow that has just begun says a little more.
    assert 7.9 < row.bits_per_dim < 20
