"""Sampling over the depth, by our solvers and pixel after pixel."""

import torch
from torch.testing import assert_close

from benchmarks import sequential
from benchmarks.depth import CONTESTANTS, DEPTHS, POSTER, measure
from benchmarks.flows import random_flow
from benchmarks.sequential import use_sequential
from zoo.bijections.padded_conv import CornerConv

TINY = {"hidden_channels": 8, "size": (8, 8)}


def test_every_flow_is_timed_at_every_depth() -> None:
    threads = torch.get_num_threads()
    rows = measure(2, 1, **TINY)
    assert [(row.flow, row.algorithm, row.steps) for row in rows] == [
        (*contestant, steps) for steps in DEPTHS for contestant in CONTESTANTS
    ]
    assert all(row.seconds > 0 for row in rows)
    assert torch.get_num_threads() == threads
    assert {key[:2] for key in POSTER} <= set(CONTESTANTS)
    assert {key[2] for key in POSTER} == set(DEPTHS)


@torch.no_grad()
def test_the_sequential_algorithm_gives_the_same_images(monkeypatch) -> None:
    solved, solve = [], sequential._solve
    monkeypatch.setattr(sequential, "_solve", lambda *a: solved.append(1) or solve(*a))
    flow = random_flow("emerging", "paper_cifar10", steps=2, **TINY)
    z = torch.randn(2, 192, generator=torch.manual_seed(0))
    x, _ = flow.inverse(z)
    use_sequential(flow)
    assert_close(flow.inverse(z)[0], x, atol=1e-4, rtol=1e-4)
    assert len(solved) == sum(isinstance(layer, CornerConv) for layer in flow.modules()) == 12
