import csv
import json
from pathlib import Path

import pytest
import torch

from benchmarks import bounds, equal_runs
from benchmarks.equal_runs import RESULT, Run, likelihood, write_table
from tests.test_flow import noise, tiny
from zoo.architectures import ARCHITECTURES


def test_runs_are_trained_once_and_collected_in_order(tmp_path: Path, monkeypatch) -> None:
    calls: list[list[str]] = []

    def train(arguments: list[str]) -> None:
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(equal_runs, "train", train)
    runs = [
        Run("mnist/conf.yaml", tmp_path / name, {"steps": 2}, 10, seed, ("--model.lr", "1e-4"))
        for seed, name in enumerate("abc")
    ]
    for run, bits in zip(runs, (1.5, 1.4), strict=False):
        run.folder.mkdir()
        (run.folder / RESULT).write_text(json.dumps({"seed": run.seed, "bits_per_dim": bits}))
        run.result(Path("data"), dict)
    assert calls == []
    with pytest.raises(KeyboardInterrupt):
        runs[2].result(Path("data"), dict)
    (arguments,) = calls
    assert arguments[arguments.index("--seed_everything") + 1] == "2"
    assert arguments[arguments.index("--trainer.max_steps") + 1] == "10"
    assert arguments[arguments.index("--trainer.val_check_interval") + 1] == "10"
    assert json.loads(arguments[arguments.index("--model.overrides") + 1]) == {"steps": 2}
    assert arguments[-2:] == ["--model.lr", "1e-4"]
    write_table(tmp_path, "table.csv", lambda row: row["bits_per_dim"])
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [row["seed"] for row in rows] == ["1", "0"]


def test_a_run_that_was_ended_goes_on(tmp_path: Path, monkeypatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(equal_runs, "train", calls.append)
    monkeypatch.setattr(equal_runs, "load_checkpoint", lambda path: (tiny(), {"global_step": 10}))
    left = tmp_path / "checkpoints" / "terminated-step=7.ckpt"
    left.parent.mkdir()
    left.touch()
    Run("mnist/conf.yaml", tmp_path, {}, 10, 0).result(Path("data"), lambda flow: {})
    assert calls[0][-2:] == ["--ckpt_path", str(left)]


def test_likelihood_is_that_of_one_draw() -> None:
    flow, images = tiny(), noise(8)
    found = likelihood(flow, images)
    bits = flow.bits_per_dim(images, generator=torch.Generator().manual_seed(0))
    assert found["bits_per_dim"] == pytest.approx(float(bits.mean()))
    assert found["parameters"] == sum(p.numel() for p in flow.parameters())


@pytest.mark.parametrize("variant", bounds.VARIANTS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_run_of_the_bounds_is_a_configuration(architecture, variant, tmp_path) -> None:
    for dataset, steps in bounds.STEPS.items():
        run = bounds.make_run(f"{dataset}-{architecture}-{variant}", tmp_path, 1)
        trained = dataset != "photos" or architecture in ("finc", "glow")
        assert (equal_runs.RECIPES / run.recipe).is_file() == trained
        assert run.steps == steps
        config = ARCHITECTURES[architecture].preset(f"compact_{dataset}", **run.overrides)
        stable = getattr(config, "gain_max", 0.95) == 0.95 and config.shift_max == 8
        default = config == ARCHITECTURES[architecture].presets[f"compact_{dataset}"]
        assert default == (stable and config.log_scale_max == 1 and config.input_max == 5)


def test_a_run_s_flow_is_measured_at_every_size(monkeypatch, tmp_path) -> None:
    flow, images = tiny(gain_max=0.95), noise(12)
    monkeypatch.setattr(bounds, "validation_images", lambda *_: images)
    found = bounds.measure(flow, "mnist-finc-stable", tmp_path)
    assert found["hostile"] == found["float32"] > 80
    assert (found["float64"], found["kept"]) == (0, 0)
    assert found["g"] < 0.95
    assert all(0 < found[f"error_{sides}"] < 0.25 for sides in bounds.SIDES)
    assert found["median_error"] < found["worst_error"] < 0.25
