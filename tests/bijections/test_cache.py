"""Results remembered of weights are forgotten with them, however they change."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.testing import assert_close

from zoo.bijections import ActNorm, Conv1x1, FInCUnit, PaddedConv2d

LAYERS = [ActNorm, Conv1x1, FInCUnit, PaddedConv2d]
OPTIMIZERS = {
    "fused": lambda parameters: torch.optim.Adam(parameters, lr=0.01, fused=True),
    "foreach": lambda parameters: torch.optim.Adam(parameters, lr=0.01, foreach=True),
    "plain": lambda parameters: torch.optim.SGD(parameters, lr=0.01),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_step_of_any_optimizer_in_eval_mode(kind, optimizer: str) -> None:
    torch.manual_seed(0)
    layer, x = kind(8).eval(), torch.randn(2, 8, 4, 6)
    optimize = OPTIMIZERS[optimizer](layer.parameters())
    for _ in range(3):
        with torch.no_grad():
            before, _ = layer(x)
        optimize.zero_grad()
        (layer(x)[0] * torch.randn_like(x)).sum().backward()
        optimize.step()
        with torch.no_grad():
            y, _ = layer(x)
            back, _ = layer.inverse(y)
        assert not torch.equal(y, before)
        assert_close(y, layer(x)[0].detach())
        assert_close(back, x, atol=1e-4, rtol=1e-4)


def test_other_weights_at_the_address_of_freed_ones() -> None:
    layer, x = FInCUnit(16).eval(), torch.randn(2, 16, 4, 4)
    base = {name: p.detach().clone() for name, p in layer.named_parameters()}
    for k in range(100):
        with torch.no_grad():
            weights = {name: p + 0.01 * k for name, p in base.items()}
            y, _ = functional_call(layer, weights, (x,))
        expected, _ = functional_call(layer, {n: p + 0.01 * k for n, p in base.items()}, (x,))
        assert torch.equal(y, expected.detach())
        del weights


def test_forward_mode_derivatives_without_gradients() -> None:
    layer, x = PaddedConv2d(4).eval(), torch.randn(2, 4, 5, 6)
    tangents = {name: torch.randn_like(p) for name, p in layer.named_parameters()}

    def derivative() -> torch.Tensor:
        with forward_ad.dual_level():
            duals = {
                name: forward_ad.make_dual(p.detach(), tangents[name])
                for name, p in layer.named_parameters()
            }
            return forward_ad.unpack_dual(functional_call(layer, duals, (x,))[0]).tangent

    expected = derivative()
    with torch.no_grad():
        layer(x)
        assert_close(derivative(), expected)


@pytest.mark.parametrize("kind", LAYERS)
def test_vmap_without_gradients(kind) -> None:
    layer, x = kind(8).eval(), torch.randn(3, 8, 4, 6)
    expected, _ = layer.inverse(layer(x)[0])
    with torch.no_grad():
        layer.inverse(x)
        y = torch.vmap(lambda one: layer(one[None])[0][0])(x)
        back = torch.vmap(lambda one: layer.inverse(one[None])[0][0])(y)
    assert_close(back, expected.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_made_without_memory_and_filled(kind) -> None:
    trained, x = kind(8).eval(), torch.randn(2, 8, 4, 6)
    with torch.device("meta"):
        assigned, emptied = kind(8), kind(8)
    assigned.load_state_dict(trained.state_dict(), assign=True)
    emptied.to_empty(device="cpu").load_state_dict(trained.state_dict())
    for layer in (assigned.eval(), emptied.eval()):
        assert torch.equal(layer(x)[0], trained(x)[0])
