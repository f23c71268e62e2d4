import csv
import json
from pathlib import Path

import pytest
import yaml

from zoo.architectures import ARCHITECTURES, build
from zoo.training import ablation
from zoo.training.ablation import VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_configuration_that_builds(variant: str) -> None:
    config = ARCHITECTURES["conf"].preset("compact_mnist", **VARIANTS[variant], steps=1)
    assert sum(p.numel() for p in build(config).parameters()) > 0


def test_the_ablation_covers_convolution_kernel_and_gate() -> None:
    assert len({json.dumps(overrides) for overrides in VARIANTS.values()}) == len(VARIANTS) >= 8
    factors = yaml.safe_load(ablation.RECIPE.read_text())["model"]
    assert factors["architecture"] == "conf"
    default = ARCHITECTURES["conf"].presets[factors["preset"]]
    best = VARIANTS["reflect-adaptive-slog"]
    assert {name: getattr(default, name) for name in best} == best


def test_runs_are_trained_once_and_collected_best_first(tmp_path: Path, monkeypatch) -> None:
    calls: list[list[str]] = []

    def train(arguments: list[str]) -> None:
        calls.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(ablation, "train", train)
    for variant, bits in (("none-none", 1.5), ("none-slog", 1.4)):
        folder = tmp_path / f"{variant}-seed0"
        folder.mkdir()
        (folder / ablation.RESULT).write_text(
            json.dumps({"variant": variant, "bits_per_dim": bits})
        )
        ablation.run(variant, tmp_path, Path("data"), steps=10, seed=0)
    assert calls == []
    with pytest.raises(KeyboardInterrupt):
        ablation.run("none-none", tmp_path, Path("data"), steps=10, seed=1)
    (arguments,) = calls
    assert arguments[arguments.index("--seed_everything") + 1] == "1"
    assert arguments[arguments.index("--trainer.max_steps") + 1] == "10"
    assert json.loads(arguments[arguments.index("--model.overrides") + 1]) == VARIANTS["none-none"]
    ablation.write_table(tmp_path)
    rows = list(csv.DictReader((tmp_path / "ablation.csv").read_text().splitlines()))
    assert [row["variant"] for row in rows] == ["none-slog", "none-none"]
