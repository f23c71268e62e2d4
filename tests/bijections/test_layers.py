"""Properties of single layers only."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from tests.bijections.cases import shake
from zoo.bijections import ActNorm, AffineCoupling, Conv1x1, QuadCoupling
from zoo.bijections.nets import ZeroConv
from zoo.bijections.triangular import Arrangement, lower_triangular
from zoo.errors import ConfigError


def test_actnorm_standardises_its_first_batch_and_only_that() -> None:
    layer = ActNorm(3).train()
    x = torch.randn(64, 3, 5, 4) * torch.tensor([0.1, 1, 30]).view(3, 1, 1) + 7
    y, _ = layer(x)
    assert_close(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    assert_close(y.std((0, 2, 3)), torch.ones(3), atol=1e-2, rtol=0)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    layer(torch.randn(8, 3, 5, 4))
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())


def test_actnorm_is_not_initialised_in_eval_mode_nor_after_loading() -> None:
    layer = ActNorm(2).eval()
    x = torch.randn(8, 2, 3, 3) + 5
    assert torch.equal(layer(x)[0], x)
    trained = ActNorm(2).train()
    trained(x)
    layer.load_state_dict(trained.state_dict())
    layer.train()(x * 3)
    assert torch.equal(layer.bias, trained.bias)


def test_actnorm_of_a_constant_channel_is_finite() -> None:
    layer = ActNorm(2).train()
    x = torch.zeros(4, 2, 3, 3)
    y, log_det = layer(x)
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    assert_close(layer.eval().inverse(y)[0], x)


def test_conv1x1_starts_near_a_rotation() -> None:
    torch.manual_seed(0)
    layer = Conv1x1(8).double()
    x = torch.randn(4, 8, 3, 3, dtype=torch.float64)
    y, log_det = layer(x)
    assert_close(y.norm(dim=1), x.norm(dim=1), rtol=0.05, atol=0)
    assert_close(log_det, torch.zeros(4, dtype=torch.float64), atol=1.0, rtol=0)


def test_conv1x1_inverts_with_extreme_parameters() -> None:
    layer = Conv1x1(4).double().eval()
    torch.nn.init.constant_(layer.raw_log_diagonal, -1e6)
    x = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    assert_close(layer.inverse(layer(x)[0])[0], x)


def test_an_arrangement_is_what_its_function_makes_and_so_are_its_gradients() -> None:
    def arrange(below: Tensor, diagonal: Tensor) -> Tensor:
        return F.pad(lower_triangular(below, diagonal).mT.flip(0), (1, 0))

    torch.manual_seed(0)
    parts = [torch.randn(2, n, requires_grad=True) for n in (3, 3)]
    made = Arrangement(arrange, *(part.shape for part in parts)).make(*parts)
    expected = arrange(*parts)
    assert torch.equal(made, expected)
    weights = torch.randn_like(made)
    ours, theirs = (torch.autograd.grad(x, parts, weights) for x in (made, expected))
    assert all(map(torch.equal, ours, theirs))


SharedQuad = partial(QuadCoupling, shared=True)


@pytest.mark.parametrize("raw", [-1e4, 1e4])
@pytest.mark.parametrize("make", [AffineCoupling, QuadCoupling, SharedQuad])
def test_scales_are_bounded_on_both_sides(make, raw: float) -> None:
    layer = make(4, 4)
    for name, parameter in layer.named_parameters():
        torch.nn.init.constant_(parameter, raw if name.endswith("bias") else 0)
    x = torch.zeros(1, 4, 2, 2)
    changed = x[0].numel() * (1 / 2 if make is AffineCoupling else 3 / 4)
    assert layer(x)[1].abs().item() <= 2 * changed + 1e-4


@pytest.mark.parametrize("channels", [1, 2, 5, 6])
@pytest.mark.parametrize("size", [(5, 4), (1, 3), (3, 1)])
def test_a_convolution_to_few_channels_is_the_ordinary_one(channels: int, size) -> None:
    torch.manual_seed(0)
    layer = ZeroConv(7, channels).double()
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 7, *size, dtype=torch.float64)
    assert_close(layer(x), F.conv2d(x, layer.weight, layer.bias, padding=1))


def quad_by_hand(layer: QuadCoupling, y: Tensor, order: tuple[int, ...]) -> Tensor:
    """Invert by the formula, recovering blocks in the given order from what is known by then."""
    x = list(y.chunk(4, dim=1))
    for i in order:
        raw = layer.nets[i - 1](torch.cat(x[:i], dim=1))
        shift, log_scale = raw.chunk(2, dim=1)
        x[i] = x[i] * torch.exp(-2 * torch.tanh(log_scale / 2)) - shift
    return torch.cat(x, dim=1)


def test_quad_inverse_recovers_block_1_first_not_block_4_first() -> None:
    torch.manual_seed(0)
    layer = QuadCoupling(8, 6).double()
    shake(layer, 0.3)
    x = torch.randn(2, 8, 4, 3, dtype=torch.float64)
    with torch.no_grad():
        y, _ = layer(x)
        assert_close(layer.inverse(y)[0], x)
        assert_close(quad_by_hand(layer, y, (1, 2, 3)), x)
        # The order of the official code, from the last block on: it is not the inverse.
        assert (quad_by_hand(layer, y, (3, 2, 1)) - x).abs().max() > 1e-2


def test_quad_nets_condition_on_inputs() -> None:
    torch.manual_seed(0)
    layer = QuadCoupling(4, 6).double()
    shake(layer, 0.3)
    x = torch.randn(1, 4, 3, 3, dtype=torch.float64)
    shift, log_scale = layer.nets[2](x[:, :3]).chunk(2, dim=1)
    expected = (x[:, 3:] + shift) * torch.exp(2 * torch.tanh(log_scale / 2))
    assert_close(layer(x)[0][:, 3:], expected)


def test_a_shared_net_is_three_nets_that_do_not_see_later_blocks() -> None:
    torch.manual_seed(0)
    layer = QuadCoupling(8, 7, shared=True).double()
    shake(layer, 0.3)
    x = torch.randn(2, 6, 4, 3, dtype=torch.float64)
    shifts, log_scales = layer.nets(x).chunk(2, dim=1)
    for i, stage in enumerate(layer.nets.stages()):
        expected = torch.cat([raw.chunk(3, dim=1)[i] for raw in (shifts, log_scales)], dim=1)
        assert_close(stage(x[:, : 2 * i + 2]), expected)


def test_a_shared_net_without_features_for_each_block_is_refused() -> None:
    for options in ({"hidden_channels": 3}, {"hidden_channels": 8, "actnorm": True}):
        with pytest.raises(ConfigError, match="4 hidden channels or more, and no actnorm"):
            QuadCoupling(4, shared=True, **options)


@pytest.mark.parametrize("channels", [2, 6])
def test_quad_coupling_needs_a_multiple_of_four_channels(channels: int) -> None:
    with pytest.raises(ConfigError, match="multiple of 4"):
        QuadCoupling(channels, 8)


def test_a_coupling_needs_two_channels() -> None:
    with pytest.raises(ConfigError, match="at least 2 channels"):
        AffineCoupling(1, 8)
