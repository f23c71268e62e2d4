"""Nothing computed from former weights is used, whatever wrote the new ones."""

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.test_flow import every_architecture, noise, tiny
from tests.test_vector_flow import tiny as tiny_vectors
from zoo import Flow
from zoo.errors import NonFiniteError


def through_data(flow: nn.Module, other: nn.Module) -> None:
    for p, q in zip(flow.parameters(), other.parameters(), strict=True):
        p.data.lerp_(q.data, 0.5)


def through_numpy(flow: nn.Module, other: nn.Module) -> None:
    for p, q in zip(flow.parameters(), other.parameters(), strict=True):
        p.detach().numpy()[...] = q.detach().numpy()


def through_the_state_dict(flow: nn.Module, other: nn.Module) -> None:
    state, new = flow.state_dict(), other.state_dict()
    for name in state:
        state[name].data.copy_(new[name])


def by_flipping_signs(flow: nn.Module, _: nn.Module) -> None:
    """No sum of absolute values, and no order of the numbers, tells these from the former."""
    for p in flow.parameters():
        p.data.neg_()


def compute(flow: nn.Module) -> list[Tensor]:
    """Results of every method that remembers."""
    images = noise()
    with torch.no_grad():
        return [
            flow.log_prob(images, noise=torch.full(images.shape, 0.5)),
            (z := flow.encode(images)),
            flow.decode(z, (8, 12)),
            flow.at(torch.float64).encode_centres(images),
            flow.sample(2, generator=torch.Generator().manual_seed(0)),
        ]


WRITES = [through_data, through_numpy, through_the_state_dict, by_flipping_signs]


@pytest.mark.parametrize("write", WRITES)
@every_architecture
def test_writes_that_raise_no_version(
    architecture: str, write: Callable[[nn.Module, nn.Module], None]
) -> None:
    flow = tiny(architecture)
    former = compute(flow)
    write(flow, tiny(architecture, seed=1))
    assert_fresh(flow, former)


def test_writes_of_another_process() -> None:
    flow = tiny().share_memory()
    former = compute(flow)
    fork = torch.multiprocessing.get_context("fork")
    process = fork.Process(target=through_data, args=(flow, tiny(seed=1)))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert_fresh(flow, former)


def test_writes_between_forward_and_inverse_of_one_encode(monkeypatch) -> None:
    flow, other, images = tiny(), tiny(seed=1), noise()
    flow.encode(images)
    centres, writes = Flow.encode_centres, []

    def encode_and_write(self: Flow, images: Tensor) -> Tensor:
        z = centres(self, images)
        if not writes:
            writes.append(through_data(flow, other))
        return z

    monkeypatch.setattr(Flow, "encode_centres", encode_and_write)
    z = flow.encode(images)
    assert writes == [None]
    assert torch.equal(copy.deepcopy(flow).decode(z, (8, 12)), images)


def test_single_numbers_that_become_nan() -> None:
    flow = tiny()
    compute(flow)
    list(flow.parameters())[-1].data.view(-1)[0] = torch.nan
    for _ in range(2):
        with pytest.raises(NonFiniteError):
            flow.log_prob(noise())


def test_flows_of_vectors() -> None:
    flow, x = tiny_vectors(), torch.randn(4, 5, dtype=torch.float64)
    with torch.no_grad():
        former = flow.log_prob(x)
        flow.inverse(x)
        by_flipping_signs(flow, flow)
        fresh = copy.deepcopy(flow)
        assert torch.equal(flow.log_prob(x), fresh.log_prob(x))
        by_flipping_signs(flow, flow)
        assert torch.equal(flow.inverse(x)[0], copy.deepcopy(flow).inverse(x)[0])
    assert not torch.equal(former, fresh.log_prob(x))


def test_copies_and_pickles_start_anew() -> None:
    flow = tiny()
    former = compute(flow)
    for other in (copy.deepcopy(flow), pickle.loads(pickle.dumps(flow))):
        assert all(map(torch.equal, compute(other), former))


def assert_fresh(flow: Flow, former: list[Tensor]) -> None:
    found, fresh = compute(flow), compute(copy.deepcopy(flow))
    assert all(map(torch.equal, found, fresh))
    assert not torch.equal(found[1], former[1])
    assert torch.equal(found[2], noise())
