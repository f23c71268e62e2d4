"""Training faster or smaller trains the same."""

import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from tests.training.runs import run
from tests.training.test_resume import assert_equal_bits, states, values
from zoo.bijections import Chain
from zoo.errors import ConfigError, NonFiniteError
from zoo.training import speed
from zoo.training.module import FlowModule
from zoo.training.speed import Speed, compiled, denormals_are_zero, initialized, prepare

SMALL = {"size": [8, 8], "steps": 1, "levels": 1, "hidden_channels": 16}


@pytest.fixture
def module() -> FlowModule:
    torch.manual_seed(0)
    return FlowModule("glow", "compact_mnist", SMALL)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)


def test_bfloat16_nets_change_training_a_little_and_evaluation_not_at_all(module, images) -> None:
    flow = module.flow
    flow.bits_per_dim(images)
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x = images / 256
    expected, evaluated = flow(x)[0].detach(), flow.eval()(x)[0]
    prepare(flow.train(), "bfloat16", "store")
    rounded = flow(x)[0]
    assert rounded.dtype == torch.float32
    assert not torch.equal(rounded, expected)
    assert_close(rounded, expected, rtol=0.05, atol=0.05)
    assert torch.equal(flow.eval()(x)[0], evaluated)
    assert torch.equal(flow.decode(flow.encode(images)), images)


def test_options_reach_every_chain(module) -> None:
    prepare(module.flow, "float32", "checkpoint")
    chains = [part for part in module.flow.modules() if isinstance(part, Chain)]
    assert {chain.activations for chain in chains} == {"checkpoint"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nets": "bfloat16", "activations": "invert"}, "inverses need float32 nets"),
        ({"compile": True, "activations": "checkpoint"}, "decides itself what it keeps"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message) -> None:
    with pytest.raises(ConfigError, match=message):
        Speed(**options)


@pytest.mark.parametrize("end", ["teardown", "on_exception"])
@pytest.mark.parametrize("before", [False, True])
def test_denormals_count_as_zero_only_while_it_trains(module, end: str, before: bool) -> None:
    torch.set_flush_denormal(before)
    try:
        callback = Speed()
        callback.setup(None, module, "fit")
        assert denormals_are_zero()
        getattr(callback, end)(None, module, None)
        assert denormals_are_zero() is before
    finally:
        torch.set_flush_denormal(False)


STEPS = {
    "trainer": {"max_steps": 8, "val_check_interval": 8},
    "checkpoint": {"every_n_train_steps": 4, "monitor": None},
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> float:
    """Validation after a run that keeps all activations, in float32."""
    folder = tmp_path_factory.mktemp("stored")
    run(folder, **STEPS)
    return validated(folder)


def validated(folder: Path) -> float:
    """The last bits/dim on validation."""
    found = {step: x for (step, name), x in values(folder).items() if name == "val/bits_per_dim"}
    return float(found[max(found)])


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"nets": "bfloat16"}, 1e-2),
        ({"activations": "checkpoint"}, 1e-5),
        ({"activations": "invert"}, 1e-4),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_a_run_with_an_option_trains_the_same_and_resumes(
    options, tolerance, stored: float, tmp_path: Path, monkeypatch
) -> None:
    seen = []
    monkeypatch.setattr(speed, "prepare", lambda *given: (seen.append(given[1:]), prepare(*given)))
    end = run(tmp_path / "whole", speed=options, **STEPS)
    assert set(seen) == {tuple(({"nets": "float32", "activations": "store"} | options).values())}
    assert validated(tmp_path / "whole") == pytest.approx(stored, abs=tolerance)
    first = str(end.with_name("step=4.ckpt"))
    again = run(tmp_path / "again", "--ckpt_path", first, speed=options, **STEPS)
    assert_equal_bits(states(again), states(end))


def test_a_validation_that_fails_leaves_the_compiler_as_it_was(tmp_path: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise NonFiniteError("of this test")

    monkeypatch.setattr(FlowModule, "validation_step", fail)
    with pytest.raises(NonFiniteError, match="of this test"):
        run(tmp_path)
    graphs: list[object] = []
    torch.compile(torch.sin, backend=lambda graph, _: graphs.append(graph) or graph.forward)(
        torch.ones(1)
    )
    assert graphs


def test_a_flow_is_compiled_once_its_actnorms_are_set(module, images) -> None:
    callback = Speed(compile=True)
    callback.on_train_batch_start(None, module, None, 0)
    assert not compiled(module.flow)
    module.flow.bits_per_dim(images)
    assert initialized(module.flow)
    callback.on_train_batch_start(None, module, None, 1)
    assert compiled(module.flow)


@pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="torch 2.14 compiles no loop in a with block on Python 3.14"
)
def test_a_compiled_flow_is_the_same_flow(module, images) -> None:
    x = images / 256
    module.flow(x)  # sets the actnorms
    z, log_det = module.flow(x)
    # The compiler's own C++ step is left out: it takes a minute and is not ours to test.
    module.flow.compile(backend="aot_eager", fullgraph=True)
    compiled_z, compiled_log_det = module.flow(x)
    assert_close(compiled_z, z)
    assert_close(compiled_log_det, log_det)
    compiled_z.square().sum().backward()
    assert all(parameter.grad is not None for parameter in module.flow.parameters())
