"""Replayed calls are the calls themselves, whatever changes between them."""

import gc
import weakref
from types import SimpleNamespace

import pytest
import torch

from tests.test_flow import every_architecture, noise, tiny
from zoo.bijections.cache import WeightCache, keeping, kept
from zoo.flow import graphs
from zoo.solvers.launches import captured_launches, kind_of_device

STILL = {"noise": torch.full((4, 1, 8, 12), 0.5)}


class Recording:
    """A graph that computes on the CPU: the same memory in every call, and caches kept alive."""

    made = 0

    def __init__(self, function, x) -> None:
        type(self).made += 1
        self.function, self.input = function, x.clone()
        with keeping() as self.values:
            self.results = function(self.input)

    def __call__(self, x):
        self.input.copy_(x)
        for result, again in zip(self.results, self.function(self.input), strict=True):
            result.copy_(again)
        return tuple(result.clone() for result in self.results)


@pytest.fixture
def recordings(monkeypatch) -> type[Recording]:
    monkeypatch.setattr(Recording, "made", 0)
    monkeypatch.setattr(graphs, "record", Recording)
    monkeypatch.setattr("zoo.flow.image_flow.recordable", lambda x: x.dtype == torch.float32)
    return Recording


def results(flow, images) -> list[torch.Tensor]:
    z = flow.encode(images)
    sample = flow.sample(4, generator=torch.Generator().manual_seed(0))
    return [z, flow.decode(z), flow.log_prob(images, **STILL), sample]


@every_architecture
def test_a_captured_flow_computes_the_same(architecture: str, recordings) -> None:
    flow, images = tiny(architecture), noise()
    expected = results(flow, images)
    flow.capture()
    seen = [results(flow, images) for _ in range(3)]
    assert recordings.made == 2  # forward and inverse
    for found in seen:
        assert all(map(torch.equal, found, expected))
    flow.capture(False)
    assert all(map(torch.equal, results(flow, images), expected))


def test_changed_weights_are_recorded_anew(recordings) -> None:
    flow, images = tiny().capture(), noise()
    before = [flow.encode(images) for _ in range(3)][-1]
    with torch.no_grad():
        next(flow.parameters()).mul_(1.5)
    after = [flow.encode(images) for _ in range(3)][-1]
    assert not torch.equal(before, after)
    assert torch.equal(flow.capture(False).encode(images), after)


def test_training_and_gradients_are_not_recorded(recordings) -> None:
    flow, x = tiny().capture(), noise() / 256
    for _ in range(3):
        assert flow(x)[0].requires_grad
        with torch.no_grad():
            flow.train()(x)
        flow.eval().double()(x.double())
        flow.float()
    assert recordings.made == 0


def test_another_shape_is_another_graph(recordings) -> None:
    flow = tiny().capture()
    with torch.no_grad():
        for _ in range(2):
            for x in (torch.rand(1, 1, 8, 12), torch.rand(2, 1, 8, 12), torch.rand(1, 1, 12, 8)):
                flow(x)
    assert recordings.made == 3


def test_what_a_graph_reads_outlives_the_caches() -> None:
    cache, weight = WeightCache(max_entries=1).eval(), torch.zeros(1)
    with torch.no_grad():
        with keeping() as values:
            seen = weakref.ref(cache.get("a", [weight], lambda: torch.ones(3)))
        kept(torch.ones(2))  # outside: collected by nobody
        cache.get("b", [weight], lambda: torch.ones(3))
    gc.collect()
    assert seen() is values[0]
    values.clear()
    assert seen() is None


def test_what_cannot_be_recorded_stays_as_it_is(monkeypatch) -> None:
    monkeypatch.setattr(graphs, "record", lambda *_: None)
    call = graphs.Replay(lambda x: (x + 1,))
    for _ in range(3):
        assert torch.equal(call(torch.zeros(2))[0], torch.ones(2))


def test_what_is_recorded_has_neither_gradients_nor_inference_tensors() -> None:
    for outside in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with outside(), graphs.values_only():
            assert not torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()


def test_plans_are_for_launches_of_a_graph_until_it_turns_out_impossible(monkeypatch) -> None:
    kinds = []

    def function(x):
        kinds.append(kind_of_device(x))
        return (x,)

    def record(function, x):
        with captured_launches():
            function(x)

    monkeypatch.setattr(graphs, "record", record)
    on_gpu = SimpleNamespace(is_cuda=True, device=torch.device("cuda"))
    call = graphs.Replay(function)
    for _ in range(2):
        call(on_gpu)
    assert kinds == ["captured", "captured", "cuda"]
    assert kind_of_device(torch.zeros(1)) == "cpu"


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_gpu
@every_architecture
def test_graphs_on_a_gpu_are_the_calls_bit_for_bit(architecture: str) -> None:
    flow, images = tiny(architecture).cuda(), noise().cuda()
    with torch.no_grad():
        z, log_det = flow(images / 256)
        flow.capture()
        for _ in range(4):
            again, same = flow(images / 256)
            assert torch.equal(z, again)
            assert torch.equal(log_det, same)
        assert all(torch.equal(flow.decode(flow.encode(images)), images) for _ in range(4))
        call = next(iter(flow._graphs._values.values()))
        assert isinstance(call._graph, graphs.Graph)
