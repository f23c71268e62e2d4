"""From 8-bit images to reals: noise, logits, and more room for black."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from zoo.bijections import Bijection, Center, Dequantize, Logit, WideBlack
from zoo.bijections.preprocess import LARGEST_NOISE
from zoo.errors import ConfigError


@settings(max_examples=30, deadline=None)
@given(levels=st.sampled_from([4, 32, 256]), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_dequantized_integers_come_back(levels: int, dtype: torch.dtype) -> None:
    layer = Dequantize(levels)
    x = torch.arange(levels).repeat(50).view(2, 1, 25, levels)
    y, log_det = layer(x, dtype=dtype)
    back, _ = layer.inverse(y)
    assert torch.equal(back.long(), x)
    assert y.min() >= 0
    assert y.max() < 1
    expected = -x[0].numel() * torch.log(torch.tensor(float(levels)))
    assert_close(log_det, expected.expand(2).to(dtype), atol=0, rtol=1e-6)


@pytest.mark.parametrize("noise", [0.0, 0.5, 1 - 2**-15])
def test_any_noise_below_one_keeps_the_bin(noise: float) -> None:
    layer, x = Dequantize(), torch.arange(256).view(1, 1, 16, 16)
    y, _ = layer(x, noise=noise, dtype=torch.float32)
    assert torch.equal(layer.inverse(y)[0].long(), x)


def test_dequantization_noise_is_uniform() -> None:
    generator = torch.Generator().manual_seed(0)
    y, _ = Dequantize()(torch.zeros(1, 1, 200, 200, dtype=torch.uint8), generator=generator)
    noise = y.flatten() * 256
    counts = torch.histc(noise, bins=10, min=0, max=1)
    assert (counts - 4000).abs().max() < 5 * 60  # 5 standard deviations


def test_logit_inverts_every_grey_level_exactly() -> None:
    centres = ((torch.arange(256) + 0.5) / 256).view(1, 1, 16, 16)
    for alpha in (1e-6, 1e-3, 0.05):
        layer = Logit(alpha)
        back = layer.inverse(layer(centres)[0])[0]
        assert ((back - centres).abs() * 256).max() < 1e-3


@pytest.mark.parametrize("alpha", [0, -1, 0.5])
def test_logit_refuses_a_bad_alpha(alpha: float) -> None:
    with pytest.raises(ConfigError, match="alpha must be in"):
        Logit(alpha)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("noise", [2**-10, 0.5, LARGEST_NOISE])
def test_wide_black_inverts_every_grey_level_exactly(noise: float, dtype: torch.dtype) -> None:
    layer, greys = WideBlack(), torch.arange(256).view(1, 1, 16, 16)
    x = Dequantize()(greys, noise=noise, dtype=dtype)[0]
    y, _ = layer(x)
    assert torch.equal(Dequantize().inverse(layer.inverse(y)[0])[0].long(), greys)
    assert (y.flatten().diff() > 0).all(), "darker pixels have smaller numbers"


def test_wide_black_moves_black_alone() -> None:
    x = (torch.arange(256, dtype=torch.float64).view(1, 1, 16, 16) + 0.5) / 256
    wide, plain = WideBlack(1e-3)(x)[0].flatten(), Logit(1e-3)(x)[0].flatten()
    assert torch.equal(wide[1:], plain[1:])
    assert wide[0] < plain[0] - 1


def bits_lost(layer: Bijection) -> float:
    """Bits that a Gaussian loses on the noise of a black pixel: their relative entropy."""
    noise: Tensor = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000
    y, log_det = layer((noise / 256).view(-1, 1, 1, 1))
    entropy = log_det.mean() / math.log(2) - 8
    return 0.5 * math.log2(2 * math.pi * math.e * y.var().item()) - entropy.item()


def test_a_gaussian_fits_black_best_where_it_is_wide() -> None:
    layers = (Center(), Logit(1e-3), WideBlack(1e-3, 0.95), WideBlack(1e-3, 0.99))
    lost = [bits_lost(layer) for layer in layers]
    assert lost == pytest.approx([0.255, 0.309, 0.054, 0.016], abs=1e-3)
