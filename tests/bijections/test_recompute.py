"""Backward passes that store less have the gradients of those that store everything."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from tests.bijections.cases import shake
from zoo.architectures import ARCHITECTURES, build
from zoo.bijections import ActNorm, AffineCoupling, Chain, Conv1x1, PaddedConv2d, Squeeze
from zoo.flow import Flow


def flow_of(architecture: str) -> Flow:
    torch.manual_seed(0)
    sizes = {"size": (8, 8), "steps": 2, "hidden_channels": 8}
    flow = build(ARCHITECTURES[architecture].preset("compact_mnist", **sizes))
    shake(flow, std=0.02)
    return flow


def gradients(module: nn.Module, x: torch.Tensor, mode: str) -> list[torch.Tensor]:
    for chain in module.modules():
        if isinstance(chain, Chain):
            chain.activations = mode
    x = x.clone().requires_grad_()
    y, log_det = module(x)
    (y.square().sum() + log_det.sum()).backward()
    found = [x.grad, *(parameter.grad for parameter in module.parameters())]
    module.zero_grad()
    return found


@pytest.mark.parametrize("mode", ["checkpoint", "invert"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_are_those_of_storing_everything(architecture: str, mode: str) -> None:
    flow = flow_of(architecture).double()
    x = torch.rand(3, 1, 8, 12, dtype=torch.float64)
    flow(x)  # sets the actnorms
    for found, expected in zip(gradients(flow, x, mode), gradients(flow, x, "store"), strict=True):
        assert_close(found, expected, rtol=1e-7, atol=1e-8)


def test_frozen_parameters_get_no_gradient_from_an_inverted_chain() -> None:
    chain = Chain([ActNorm(4), Conv1x1(4)])
    chain.bijections[0].requires_grad_(False)
    chain(torch.randn(2, 4, 3, 5))
    found = gradients(chain, torch.randn(2, 4, 3, 5), "invert")
    assert [gradient is None for gradient in found] == [False, True, True, False, False, False]


def saved_elements(chain: Chain, mode: str) -> int:
    """Numbers that the backward pass keeps, apart from the weights."""
    chain.activations = mode
    weights = {parameter.data_ptr() for parameter in chain.parameters()}
    total = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal total
        total += tensor.numel() if tensor.data_ptr() not in weights else 0
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        chain(torch.randn(16, 4, 8, 8))
    return total


@pytest.mark.parametrize("mode", ["checkpoint", "invert"])
def test_a_bijection_that_occurs_twice_gets_both_gradients(mode: str) -> None:
    torch.manual_seed(0)
    twice, x = Conv1x1(4).double(), torch.randn(2, 4, 5, 6, dtype=torch.float64)
    chain = Chain([twice, PaddedConv2d(4).double(), twice]).train()
    gradients = []
    for chain.activations in ("store", mode):
        y, log_det = chain(x)
        loss = y.square().sum() + log_det.sum()
        gradients.append(torch.autograd.grad(loss, list(twice.parameters())))
    assert_close(*gradients)


def test_memory_of_an_inverted_chain_does_not_grow_with_depth() -> None:
    def chain(depth: int) -> Chain:
        steps = [(ActNorm(16), PaddedConv2d(16), AffineCoupling(16, 32)) for _ in range(depth)]
        made = Chain([Squeeze(), *(layer for step in steps for layer in step)])
        made(torch.randn(16, 4, 8, 8))
        return made

    shallow, deep = chain(1), chain(4)
    assert saved_elements(deep, "invert") == saved_elements(shallow, "invert")
    assert saved_elements(deep, "checkpoint") < 0.5 * saved_elements(deep, "store")
