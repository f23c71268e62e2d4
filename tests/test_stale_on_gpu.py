"""Changes that no counter tells, noticed as on a GPU: with the question that a call asks anyway."""

import copy
import threading

import pytest
import torch
from torch import Tensor

from tests.gpu.test_graphs import recordings  # noqa: F401
from tests.test_flow import every_architecture, noise, tiny
from tests.test_stale_weights import WRITES, by_flipping_signs, through_data
from zoo import Flow
from zoo.bijections import cache
from zoo.errors import WeightsError

LATENTS = torch.randn(2, 96, generator=torch.Generator().manual_seed(0))
CALLS = {
    "encode": lambda flow: flow.encode(noise()),
    "decode": lambda flow: flow.decode(LATENTS),
    "decode, float64": lambda flow: flow.decode(LATENTS.double() + 1e-12),
    "sample": lambda flow: flow.sample(3, generator=torch.Generator().manual_seed(0)),
    "log_prob": lambda flow: flow.log_prob(
        noise(), n_samples=2, generator=torch.Generator().manual_seed(0)
    ),
    "forward": lambda flow: flow((noise() + 0.5) / 256)[0],
    "inverse": lambda flow: flow.inverse(LATENTS)[0],
    "at": lambda flow: flow.at(torch.float64).encode(noise()),
    "certify": lambda flow: torch.tensor(flow.certify().amplification),
}


@pytest.fixture(autouse=True)
def asked(monkeypatch) -> list[Tensor]:
    """Questions that the calls ask."""
    monkeypatch.setattr(cache, "DEFERRED", ("cpu",))
    monkeypatch.setattr(cache, "_same", lambda a, b: (a == b).all())
    agree, asked = cache.Watch.agree, []

    def ask(self, right: Tensor) -> bool:
        asked.append(right)
        return agree(self, right)

    monkeypatch.setattr(cache.Watch, "agree", ask)
    return asked


@torch.no_grad()
def assert_noticed(flow: Flow, other: Flow, name: str, write=through_data) -> None:
    call = CALLS[name]
    for _ in range(3):
        before = call(flow)
    write(flow, other)
    found = call(flow)
    assert torch.equal(found, call(copy.deepcopy(flow).capture(False)))
    assert not torch.equal(found, before)


@pytest.mark.parametrize("name", CALLS)
def test_every_call_notices(name: str) -> None:
    assert_noticed(tiny(), tiny(seed=1), name)


@every_architecture
def test_every_architecture_notices(architecture: str) -> None:
    assert_noticed(tiny(architecture), tiny(architecture, seed=1), "encode")


@pytest.mark.parametrize("write", WRITES)
def test_every_write_is_noticed(write) -> None:
    assert_noticed(tiny(), tiny(seed=1), "encode", write)


@pytest.mark.parametrize("name", ["encode", "sample", "log_prob", "inverse"])
def test_captured_calls_notice(name: str, recordings) -> None:  # noqa: F811
    assert_noticed(tiny().capture(), tiny(seed=1), name)
    assert recordings.made > 0


def test_a_call_that_finds_all_as_it_was_asks_once(asked) -> None:
    flow = tiny()
    for _ in range(2):
        asked.clear()
        z = flow.encode(noise())
    assert len(asked) == 1
    by_flipping_signs(flow, flow)
    asked.clear()
    assert not torch.equal(flow.encode(noise()), z)
    assert len(asked) == 2


def test_latents_of_changing_weights_are_never_certified(monkeypatch) -> None:
    flow, encode = tiny(), Flow.encode_centres

    def change(self: Flow, images: Tensor) -> Tensor:
        z = encode(self, images)
        by_flipping_signs(flow, flow)
        return z

    flow.encode(noise())
    monkeypatch.setattr(Flow, "encode_centres", change)
    with pytest.raises(WeightsError, match="the weights change while they are used"):
        flow.encode(noise())


def test_what_one_thread_notices_another_is_told() -> None:
    flow, images = tiny(), noise()
    flow.encode(images)
    both, found = threading.Barrier(2), []

    def encode() -> None:
        both.wait()
        found.append(flow.encode(images))

    through_data(flow, tiny(seed=1))
    threads = [threading.Thread(target=encode) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = copy.deepcopy(flow).encode(images)
    assert all(torch.equal(z, expected) for z in found)
    assert len(found) == 2
