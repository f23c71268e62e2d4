import dataclasses
import functools
import itertools
import json
import random

import pytest
import torch

from zoo.architectures import ARCHITECTURES, build, config_from_json, config_to_json
from zoo.config import MAGNITUDE_FACTOR, FlowConfig
from zoo.errors import ConfigError

# Millions of parameters, as the papers print them.
PAPER_PARAMETERS = {
    ("cinc", "paper_cifar10"): 44.8,
    ("cinc_quad", "paper_cifar10"): 114,
    ("finc", "paper_mnist"): 10.0,
    ("finc", "paper_cifar10"): 44.9,
    ("finc", "paper_imagenet32"): 67,
    ("finc", "paper_imagenet64"): 45,
}
every_preset = pytest.mark.parametrize(
    ("name", "preset"),
    [(a, preset) for a, entry in ARCHITECTURES.items() for preset in entry.presets],
)


@functools.cache
def numbers(config: FlowConfig) -> tuple[int, int]:
    """Count the parameters of a flow, and the numbers that are saved of it."""
    with torch.device("meta"):
        flow = build(config)
    saved = sum(tensor.numel() for tensor in flow.state_dict().values())
    return sum(parameter.numel() for parameter in flow.parameters()), saved


def millions(config: FlowConfig) -> float:
    return numbers(config)[0] / 1e6


@pytest.mark.parametrize(("model", "expected"), PAPER_PARAMETERS.items(), ids=str)
def test_parameter_counts_are_the_papers(model: tuple[str, str], expected: float) -> None:
    name, preset = model
    digits = 1 if isinstance(expected, float) else 0
    config = ARCHITECTURES[name].presets[preset]
    assert round(millions(config), digits) == expected
    # All steps are alike.
    one, two = (millions(dataclasses.replace(config, steps=steps)) for steps in (1, 2))
    assert millions(config) == pytest.approx(one + (config.steps - 1) * (two - one), rel=1e-12)


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
def test_compact_sizes_have_comparable_parameter_counts(data: str) -> None:
    counts = [millions(entry.presets[f"compact_{data}"]) for entry in ARCHITECTURES.values()]
    assert max(counts) / min(counts) < 1.25


def test_quad_couplings_have_as_many_parameters_as_glow_on_colours() -> None:
    sizes = {
        name: millions(ARCHITECTURES[name].presets["compact_cifar10"])
        for name in ("glow", "cinc_quad")
    }
    assert sizes["cinc_quad"] == pytest.approx(sizes["glow"], rel=0.01)


# What makes the parts of a flow large or small against each other.
EXTREMES = {
    "hidden_channels": (4, 1024),
    "shared_net": (True, False),
    "channels": (1, 4),
    "levels": (1, 5),
    "kernel_size": (1, 7),
    "kernel_length": (1, 31),
    "separable": (True, False),
    "adaptive": (True, False),
    "convolution": ("circular", "none"),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_size_of_a_flow_is_known_before_it_is_built(name: str) -> None:
    entry = ARCHITECTURES[name]
    fields = {field.name for field in dataclasses.fields(entry.config_class)}
    extremes = {field: values for field, values in EXTREMES.items() if field in fields}
    changes = [dict(zip(extremes, v, strict=True)) for v in itertools.product(*extremes.values())]
    # These 32 notice whatever all notice of terms that are left out or wrong in the estimate.
    chosen = random.Random(2).sample(changes, min(len(changes), 32))
    small = {"size": (64, 64), "steps": 1}
    configs = [entry.preset("compact_mnist", **small, **change) for change in chosen]
    shallow = [dataclasses.replace(preset, steps=1) for preset in entry.presets.values()]
    deep = entry.preset("compact_mnist", levels=1, steps=32)
    for config in (*configs, *shallow, deep):
        ratio = config.magnitude / numbers(config)[1]
        assert 1 / 4 < ratio < MAGNITUDE_FACTOR, config


@every_preset
def test_configs_survive_json(name: str, preset: str) -> None:
    config = ARCHITECTURES[name].presets[preset]
    document = json.loads(json.dumps(config_to_json(config)))
    assert document["architecture"] == name
    assert config_from_json(document) == config


@pytest.mark.parametrize("data", ["mnist", "cifar10"])
@pytest.mark.parametrize("other", ["glow", "finc"])
def test_conf_is_as_large_as_what_it_is_compared_with(data: str, other: str) -> None:
    ours, theirs = (
        millions(ARCHITECTURES[name].presets[f"compact_{data}"]) for name in ("conf", other)
    )
    assert ours == pytest.approx(theirs, rel=0.05)


def test_architectures_have_the_papers_sizes_where_the_paper_gives_them() -> None:
    for name in ARCHITECTURES.keys() - {"conf"}:
        presets = set(ARCHITECTURES[name].presets)
        assert {"paper_cifar10", "paper_imagenet32", "paper_imagenet64"} <= presets


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"convolution": "zero"}, "convolution must be one of circular, reflect, symmetric, none"),
        ({"gate": "relu"}, "gate must be one of"),
        ({"kernel_length": 0}, "kernel_length must be a positive integer; got 0"),
        ({"kernel_length": "3"}, "kernel_length must be a positive integer; got '3'"),
        ({"kernel_length": 10**9}, "this flow would need gigabytes"),
        ({"gates": "slog"}, "conf has no field 'gates'. Did you mean gate"),
    ],
)
def test_bad_variants_of_conf_say_what_is_right(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ARCHITECTURES["conf"].preset("compact_mnist", **changes)


def document(**changes) -> dict:
    return {**config_to_json(ARCHITECTURES["finc"].presets["compact_mnist"]), **changes}


def test_what_a_shared_net_is_not_made_for_is_refused() -> None:
    entry = ARCHITECTURES["cinc_quad"]
    with pytest.raises(ConfigError, match="shared_net must be true or false; got 1"):
        entry.preset("compact_mnist", shared_net=1)
    with pytest.raises(ConfigError, match="no actnorm; else do not share it"):
        build(entry.preset("compact_mnist", net_actnorm=True))


def flow_section(**changes) -> dict:
    return {"flow": {**document()["flow"], **changes}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version is 2, this flowzoo reads up to 1. Update"),
        ({"schema_version": None}, "schema_version is None"),
        ({"architecture": "fink"}, "no architecture 'fink'. Did you mean finc"),
        ({"flow": None}, "no 'flow' section"),
        (flow_section(depth=3), "unknown field in FIncConfig: depth"),
        ({"flow": {"channels": 1}}, "missing field in FIncConfig: "),
        (flow_section(size=[28, 30]), "divisible by 2\\^levels = 4"),
        (flow_section(steps=0), "steps must be a positive integer; got 0"),
        (flow_section(steps="8"), "steps must be a positive integer; got '8'"),
        (flow_section(preprocessing="log"), "preprocessing must be one of center, logit"),
        (flow_section(kernel_size=0), "kernel_size must be a positive integer"),
        (flow_section(channels=True), "channels must be a positive integer; got True"),
        (flow_section(size=28), r"size must be \(H, W\) .*; got 28"),
        (flow_section(size=[28.0, 28.0]), "divisible by 2"),
        (flow_section(net_actnorm="no"), "net_actnorm must be true or false"),
        (flow_section(logit_alpha=None), "logit_alpha must be in"),
        (flow_section(black_share=1.0), "black_share must be between 0 and 1; got 1.0"),
        (flow_section(steps=10**12), "steps must be at most 1024; got 1000000000000"),
        (flow_section(levels=10**12), "levels must be at most 16"),
        (flow_section(hidden_channels=2**20), "this flow would need gigabytes"),
        (flow_section(channels=2**40), "this flow would need gigabytes"),
        (flow_section(size=[2**20, 2**20]), "this flow would need gigabytes"),
        (flow_section(kernel_size=10**9), "this flow would need gigabytes"),
    ],
)
def test_bad_configs_say_what_is_wrong(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config_from_json(document(**changes)))


def test_a_size_may_be_a_list_as_in_json() -> None:
    config = ARCHITECTURES["finc"].preset("compact_mnist", size=[8, 12])
    assert config.size == (8, 12)


def test_presets_suggest_close_names() -> None:
    finc = ARCHITECTURES["finc"]
    with pytest.raises(ConfigError, match="Did you mean compact_mnist"):
        finc.preset("mnist_compact")
    with pytest.raises(ConfigError, match="finc has no field 'step'. Did you mean steps"):
        finc.preset("compact_mnist", step=3)
    assert finc.preset("compact_mnist", steps=3).steps == 3


def test_configs_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        ARCHITECTURES["finc"].presets["compact_mnist"].steps = 1  # type: ignore[misc]
