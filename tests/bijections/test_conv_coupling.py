import dataclasses
import math

import pytest
import torch
from torch.testing import assert_close

from tests.bijections.cases import FACTORS, shake
from tests.bijections.test_bijections import flat_jacobian
from zoo.bijections import ConvolutionalCoupling, SLogGate, SymmetricConv, VectorCoupling
from zoo.bijections.conv_coupling import FactoredCoupling, Factors
from zoo.errors import ConfigError


def coupling(factors: Factors, *, vector: bool = False) -> FactoredCoupling:
    torch.manual_seed(0)
    layer = VectorCoupling(8, 6, factors) if vector else ConvolutionalCoupling(4, 6, factors)
    shake(layer, 0.3)
    return layer.double()


def test_the_coupling_is_its_formula() -> None:
    layer = coupling(Factors())
    x = torch.randn(3, 4, 5, 6, dtype=torch.float64)
    kept, changed = x.chunk(2, dim=1)
    hidden = layer.net.trunk(kept)
    shift, raw = layer.net.maps(hidden).chunk(2, dim=1)
    coefficients = layer.net.kernels(hidden.mean((2, 3))).view(3, 2, 6)
    expected = []
    for image, kernels in zip(changed, coefficients, strict=True):
        convolution = SymmetricConv(2).double()
        convolution.coefficients.data.copy_(kernels)
        expected.append(convolution(image[None])[0])
    expected = torch.cat(expected) * torch.exp(2 * torch.tanh(raw / 2)) + shift
    alpha = layer.gate.parameter().view(2, 1, 1)
    expected = expected.sign() * torch.log(1 + alpha * expected.abs()) / alpha
    assert_close(layer(x)[0], torch.cat([kept, expected], dim=1))


@pytest.mark.parametrize("vector", [False, True])
@pytest.mark.parametrize("name", FACTORS)
def test_the_kept_half_is_kept_and_samples_do_not_mix(name: str, vector: bool) -> None:
    layer = coupling(FACTORS[name], vector=vector)
    x = torch.randn(3, 8, dtype=torch.float64) if vector else torch.randn(3, 4, 4, 5).double()
    y, log_det = layer(x)
    half = x.shape[1] // 2
    assert torch.equal(y[:, :half], x[:, :half])
    assert (y[:, half:] != x[:, half:]).all()
    one, one_log_det = layer(x[1:2])
    assert_close(one[0], y[1])
    assert_close(one_log_det[0], log_det[1])


def test_adaptive_kernels_differ_between_samples_fixed_ones_do_not() -> None:
    only = {"scale": False, "gate": "none"}
    for adaptive in (True, False):
        layer = coupling(Factors(adaptive=adaptive, **only))
        log_det = layer(torch.randn(2, 4, 5, 6, dtype=torch.float64))[1]
        assert (log_det[0] != log_det[1]) == adaptive


def test_factors_that_are_off_leave_no_parameter() -> None:
    def names(**changes) -> set[str]:
        layer = ConvolutionalCoupling(4, 6, dataclasses.replace(Factors(), **changes))
        parameters = (name.split(".") for name, _ in layer.named_parameters())
        return {".".join(path[: 2 if path[0] == "net" else 1]) for path in parameters}

    everything = names()
    assert everything == {"gate", "net.trunk", "net.maps", "net.kernels"}
    assert names(gate="none") == everything - {"gate"}
    assert names(convolution="none") == everything - {"net.kernels"}
    assert names(scale=False, shift=False) == everything - {"net.maps"}
    assert names(adaptive=False) == everything - {"net.kernels"} | {"coefficients"}


def test_a_coupling_starts_as_its_gate() -> None:
    x = torch.randn(3, 4, 5, 6)
    y, _ = ConvolutionalCoupling(4, 6)(x)
    assert_close(y[:, 2:], SLogGate(2)(x[:, 2:])[0], atol=1e-5, rtol=1e-5)
    assert_close(ConvolutionalCoupling(4, 6, Factors(gate="none"))(x)[0], x, atol=1e-5, rtol=0)


def test_without_convolution_and_gate_it_is_realnvp_s() -> None:
    layer = coupling(Factors(convolution="none", gate="none"), vector=True)
    x = torch.randn(5, 8, dtype=torch.float64)
    shift, raw = layer.net.maps(layer.net.trunk(x[:, :4])).chunk(2, dim=1)
    assert_close(layer(x)[0][:, 4:], x[:, 4:] * torch.exp(2 * torch.tanh(raw / 2)) + shift)


@pytest.mark.parametrize("raw", [-1e4, 1e4])
def test_everything_is_bounded_on_both_sides(raw: float) -> None:
    layer = ConvolutionalCoupling(4, 3, Factors(gate="none")).double()
    for name, parameter in layer.named_parameters():
        value = raw if name in ("net.maps.bias", "net.kernels.bias") else 0.0
        torch.nn.init.constant_(parameter, value)
    jacobian = flat_jacobian(lambda t: layer(t)[0], torch.zeros(1, 4, 3, 3, dtype=torch.float64))
    changed = jacobian[0, 18:, 18:]
    eigenvalues = torch.linalg.eigvals(changed).abs()
    assert eigenvalues.max() <= math.exp(2 + 2) * (1 + 1e-9)
    assert eigenvalues.min() >= math.exp(-2 - 2) * (1 - 1e-9)


def test_stability_is_the_convolution_s() -> None:
    fixed = coupling(Factors(adaptive=False))
    convolution = SymmetricConv(2).double()
    convolution.coefficients.data.copy_(fixed.coefficients.data)
    assert fixed.stability((5, 6)) == convolution.stability((5, 6))
    e2 = math.exp(2)
    assert coupling(Factors()).stability((5, 6))[:3] == (e2, e2, e2 * e2)
    assert coupling(Factors(kernel="taps")).stability((5, 6)) is None
    assert coupling(Factors(convolution="none")).stability((5, 6))[:3] == (1, 1, 1)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"convolution": "zero"}, "convolution must be one of circular, reflect, symmetric, none"),
        ({"gate": "relu"}, "gate must be one of slog, asinh, leaky_relu, none; got 'relu'"),
        ({"adaptive": 1}, "adaptive must be true or false; got 1"),
        ({"kernel": "fir"}, "unknown kernel 'fir'"),
        ({"kernel_length": 0}, "kernel_length must be a positive integer; got 0"),
        ({"adaptive": False, "scale": False, "shift": False}, "needs an adaptive convolution"),
        ({"convolution": "none", "scale": False, "shift": False}, "needs an adaptive convolution"),
    ],
)
def test_bad_factors_say_what_is_right(factors: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Factors(**factors)
