"""Bounds hold for any weights and any input, and let a coupling forget nothing."""

import math

import pytest
import torch
from torch.testing import assert_close

from tests.bijections.cases import BOUNDS, shake
from zoo.bijections import (
    AdditiveCoupling,
    AffineCoupling,
    Bijection,
    ConvolutionalCoupling,
    QuadCoupling,
    Split,
)
from zoo.bijections.bounds import Bounds
from zoo.bijections.conv_coupling import Factors

PLAIN = Factors(convolution="none", gate="none")
COUPLINGS = {
    "additive": lambda bounds: AdditiveCoupling(4, 8, bounds=bounds),
    "affine": lambda bounds: AffineCoupling(4, 8, bounds=bounds),
    "quad": lambda bounds: QuadCoupling(4, 8, bounds=bounds),
    "quad-shared": lambda bounds: QuadCoupling(4, 8, shared=True, bounds=bounds),
    "conf": lambda bounds: ConvolutionalCoupling(4, 8, PLAIN, bounds=bounds),
    "split": lambda bounds: Split(4, bounds),
}
every_coupling = pytest.mark.parametrize("name", COUPLINGS)


def wild(name: str, bounds: Bounds) -> Bijection:
    """A coupling with weights no training would leave."""
    torch.manual_seed(0)
    coupling = COUPLINGS[name](bounds)
    shake(coupling, 10.0)
    return coupling.eval()


@every_coupling
def test_shift_and_scale_stay_within_their_bounds(name: str) -> None:
    coupling = wild(name, BOUNDS)
    x = 1e4 * torch.randn(8, 4, 5, 6, dtype=torch.float64)
    coupling.double()
    scale, shift = coupling.limits()
    y, log_det = coupling(x)
    # |y| lies between (|x| - shift) / scale and (|x| + shift) * scale, in either order of both.
    assert (y.abs() <= (x.abs() + shift) * scale + 1e-9).all()
    assert (y.abs() >= x.abs() / scale - shift * scale - 1e-9).all()
    assert log_det.abs().max() <= x[0].numel() * math.log(scale) + 1e-9


@every_coupling
def test_a_bounded_coupling_gives_back_what_a_free_one_forgets(name: str) -> None:
    x = 100 * torch.randn(4, 4, 5, 6)
    bounded = wild(name, Bounds(shift=8.0, log_scale=1.0, inputs=5.0))
    assert_close(bounded.inverse(bounded(x)[0])[0], x, rtol=1e-5, atol=1e-4)
    free = wild(name, Bounds())
    assert not torch.allclose(free.inverse(free(x)[0])[0], x, rtol=1e-5, atol=1e-4)


@every_coupling
def test_what_nothing_bounds_is_said_to_be_infinite(name: str) -> None:
    assert COUPLINGS[name](Bounds()).limits().shift == math.inf


def test_limits_of_additive_and_adaptive_couplings() -> None:
    assert AdditiveCoupling(4, 8, bounds=Bounds(shift=3.0)).limits() == (1.0, 3.0)
    assert ConvolutionalCoupling(4, 8, Factors(kernel="taps")).limits().scale == math.inf
    assert ConvolutionalCoupling(4, 8, Factors(shift=False)).limits().shift == 0
    assert ConvolutionalCoupling(4, 8, Factors(scale=False), bounds=BOUNDS).limits().scale == 1


@every_coupling
def test_without_bounds_small_numbers_pass_as_before(name: str) -> None:
    """Wide bounds and no bounds agree where nothing is near a bound."""
    x = 0.1 * torch.randn(2, 4, 5, 6, dtype=torch.float64)
    couplings = []
    for bounds in (Bounds(), Bounds(shift=1e6, inputs=1e6)):
        torch.manual_seed(0)
        coupling = COUPLINGS[name](bounds)
        shake(coupling, 0.1)
        couplings.append(coupling.double().eval())
    assert_close(couplings[0](x)[0], couplings[1](x)[0], rtol=1e-9, atol=1e-9)
