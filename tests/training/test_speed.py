"""Training faster or smaller trains the same."""

import pytest
import torch
from torch.testing import assert_close

from zoo.bijections import Chain
from zoo.errors import ConfigError
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
        speed = Speed()
        speed.setup(None, module, "fit")
        assert denormals_are_zero()
        getattr(speed, end)(None, module, None)
        assert denormals_are_zero() is before
    finally:
        torch.set_flush_denormal(False)


def test_a_flow_is_compiled_once_its_actnorms_are_set(module, images) -> None:
    speed = Speed(compile=True)
    speed.on_train_batch_start(None, module, None, 0)
    assert not compiled(module.flow)
    module.flow.bits_per_dim(images)
    assert initialized(module.flow)
    speed.on_train_batch_start(None, module, None, 1)
    assert compiled(module.flow)


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
