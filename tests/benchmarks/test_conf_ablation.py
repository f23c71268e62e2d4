import json

import pytest
import yaml

from benchmarks import equal_runs
from benchmarks.conf_ablation import VARIANTS, make_run
from zoo.architectures import ARCHITECTURES, build


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_a_configuration_that_builds(variant: str) -> None:
    config = ARCHITECTURES["conf"].preset("compact_mnist", **VARIANTS[variant], steps=1)
    assert sum(p.numel() for p in build(config).parameters()) > 0


def test_the_ablation_covers_convolution_kernel_and_gate(tmp_path) -> None:
    assert len({json.dumps(overrides) for overrides in VARIANTS.values()}) == len(VARIANTS) >= 8
    run = make_run("reflect-adaptive-slog", tmp_path, 10, 0)
    model = yaml.safe_load((equal_runs.RECIPES / run.recipe).read_text())["model"]
    assert model["architecture"] == "conf"
    default = ARCHITECTURES["conf"].presets[model["preset"]]
    assert {name: getattr(default, name) for name in run.overrides} == run.overrides
