"""Every architecture on a GPU that is not there: no tensor elsewhere, no copy, few questions."""

import pytest
import torch

from benchmarks.fake_gpu import fake_gpu
from benchmarks.launches import after_gradients, calls, in_training, pictures
from tests.test_flow import TINY, tiny
from zoo.architectures import ARCHITECTURES
from zoo.bijections import FInCUnit
from zoo.training.module import FlowModule
from zoo.training.speed import prepare

every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)
# Questions that a warm call may ask.
ASKED = {"encode": 1, "encode, not verified": 0, "decode": 2, "sample": 1, "log_prob": 1}


def training(architecture: str, **overrides) -> FlowModule:
    return FlowModule(architecture, "compact_mnist", {**TINY, "steps": 1, **overrides})


@every_architecture
@pytest.mark.parametrize("preprocessing", ["logit", "center"])
def test_warm_calls_copy_nothing_and_ask_once(architecture: str, preprocessing: str) -> None:
    flow = tiny(architecture, preprocessing=preprocessing, steps=1)
    with fake_gpu(flow) as watch:
        images = pictures(flow.config, 4, "cuda")
        for name, call in calls(flow, images).items():
            call()
            watch.reset()
            call()
            assert watch.launches.total() > 20, name
            assert not watch.copies, name
            assert watch.waits.total() == ASKED[name], (name, watch.waits)


@every_architecture
def test_nothing_else_meets_a_tensor_of_another_device(architecture: str) -> None:
    flow = tiny(architecture, steps=1)
    with fake_gpu(flow):
        images = pictures(flow.config, 4, "cuda")
        assert flow.interpolate(images, images, 3).device.type == "cuda"
        assert flow.sample(2, generator=torch.Generator()).device.type == "cuda"
        assert flow.log_prob(images, generator=torch.Generator()).device.type == "cuda"
        flow.certify(images)


@every_architecture
def test_a_step_of_training_asks_once(architecture: str) -> None:
    counts = dict(_counts(in_training(training(architecture), 4)))
    counts |= dict(_counts(after_gradients(training(architecture))))
    waits = {name: waits for name, (_, waits, _) in counts.items()}
    assert waits.pop("training: checks") == 1
    assert not any(waits.values())
    assert not any(copies for _, _, copies in counts.values())
    assert counts["training: averages"][0] < 20
    assert counts["training: backward"][0] > 100


def _counts(parts):
    for name, watch in parts:
        yield name, (watch.launches.total(), watch.waits.total(), watch.copies.total())


@every_architecture
def test_muon_asks_nothing(architecture: str) -> None:
    module = FlowModule(architecture, "compact_mnist", {**TINY, "steps": 1}, optimizer="muon")
    launches, waits, copies = dict(_counts(after_gradients(module)))["training: optimiser"]
    assert launches > 20
    assert waits == copies == 0


def test_checkpoints_of_activations_ask_no_more() -> None:
    module = training("finc")
    prepare(module.flow, "float32", "checkpoint")
    for _, (_, waits, copies) in _counts(in_training(module, 4)):
        assert waits == copies == 0


def test_gradients_of_an_inverse_stay_on_the_device() -> None:
    unit = FInCUnit(8)
    with fake_gpu(unit) as watch:
        y = torch.zeros(2, 8, 4, 4, device="cuda", requires_grad=True)
        assert unit.inverse(y)[0].device.type == "cuda"
        assert not watch.copies


def test_the_audit_sees_what_it_looks_for() -> None:
    layer = torch.nn.Linear(3, 3)
    with fake_gpu(layer) as watch:
        x = torch.zeros(2, 3, device="cuda")
        bool(layer(x).isfinite().all())
        torch.ones(3).to("cuda")
        x.cpu()
        assert watch.waits.total() == 2
        assert watch.copies.total() == 1
        with pytest.raises(RuntimeError, match="two (different )?devices"):
            layer(torch.zeros(2, 3))
