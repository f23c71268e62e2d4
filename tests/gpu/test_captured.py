"""A captured step of training is the step."""

from types import SimpleNamespace

import pytest
import torch
from torch.testing import assert_close

from tests.training.runs import OVERRIDES
from zoo.errors import ConfigError
from zoo.training.captured import captured
from zoo.training.module import FlowModule
from zoo.training.speed import Speed, initialized

IMAGES = torch.randint(0, 256, (4, 1, 8, 8), dtype=torch.uint8)


def step(module: FlowModule, images: torch.Tensor) -> list[torch.Tensor]:
    """The loss and the gradients."""
    module.zero_grad()
    loss = module.training_step(images, 0)
    loss.backward()
    module.on_before_optimizer_step(None)
    return [loss.detach().clone(), *(p.grad.clone() for p in module.parameters())]


@pytest.fixture
def module() -> FlowModule:
    torch.manual_seed(0)
    module = FlowModule("finc", "compact_mnist", OVERRIDES)
    module.log = lambda *_, **__: None  # there is no trainer
    return module


def test_it_takes_the_place_of_the_unchecked_likelihood(module, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda graphed, examples: graphed)
    step(module, IMAGES)
    names, expected = list(module.state_dict()), step(module, IMAGES)
    calls = []
    replay = captured(module.flow, IMAGES)
    module.captured = lambda *arguments: (calls.append(1), replay(*arguments))[1]
    for found, wanted in zip(step(module, IMAGES), expected, strict=True):
        assert torch.equal(found, wanted)
    assert calls == [1]
    assert list(module.state_dict()) == names


def test_only_images_on_a_gpu_are_captured(module) -> None:
    step(module, IMAGES)
    assert initialized(module.flow)
    Speed(capture=True).on_train_batch_start(None, module, IMAGES, 0)
    assert module.captured is None


@pytest.mark.parametrize("options", [{"compile": True}, {"activations": "checkpoint"}])
def test_what_does_not_go_with_it_is_refused(options) -> None:
    with pytest.raises(ConfigError, match="a captured step is not compiled"):
        Speed(capture=True, **options)


@pytest.mark.parametrize("sizes", [(2, 1), (1, 2)])
def test_several_processes_or_batches_are_refused(sizes, module) -> None:
    trainer = SimpleNamespace(world_size=sizes[0], accumulate_grad_batches=sizes[1])
    with pytest.raises(ConfigError, match="of one process and one batch"):
        Speed(capture=True).setup(trainer, module, "fit")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("architecture", ["finc", "glow", "conf"])
def test_on_a_gpu_it_is_the_same_step(architecture: str) -> None:
    module = FlowModule(architecture, "compact_mnist", OVERRIDES).cuda()
    module.log = lambda *_, **__: None
    images = IMAGES.cuda()
    step(module, images)
    expected = step(module, images)
    Speed(capture=True).on_train_batch_start(None, module, images, 0)
    assert module.captured is not None
    for _ in range(3):
        for found, wanted in zip(step(module, images), expected, strict=True):
            assert_close(found, wanted)
