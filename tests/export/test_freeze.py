"""Solvers that are frozen into a program: what they leave out of an impulse response is nothing."""

import pytest
import torch
from torch.testing import assert_close

from zoo.export.freeze import ConvSolver, shortened
from zoo.solvers import CORNERS, Operator, impulse_response
from zoo.solvers.tiles import TileSolver

SIZE = (20, 27)


def operator(taps: float) -> Operator:
    """An operator of one group for each corner, 3 x 3, whose taps add up to less than 9 * taps."""
    generator = torch.Generator().manual_seed(0)
    kernel = taps * torch.rand(4, 2, 2, 3, 3, generator=generator, dtype=torch.float64) / 2
    kernel[..., -1, -1] = torch.eye(2)
    bias = torch.randn(8, generator=generator, dtype=torch.float64)
    return Operator(kernel, CORNERS, bias)


@pytest.mark.parametrize(("taps", "short"), [(0.01, True), (0.1, False)])
def test_a_response_is_as_long_as_it_has_to_be(taps: float, short: bool) -> None:
    responses = impulse_response(operator(taps).kernel, SIZE)
    kept = shortened(responses)
    assert (kept.shape[-2] < SIZE[0] and kept.shape[-1] < SIZE[1]) == short
    assert torch.equal(kept, responses[..., : kept.shape[-2], : kept.shape[-1]])
    rest = responses.clone()
    rest[..., : kept.shape[-2], : kept.shape[-1]] = 0
    assert float(rest.abs().sum((2, 3, 4)).max()) < 2e-10
    if short:  # and no longer
        assert float(responses[..., kept.shape[-2] - 1 :, :].abs().sum((2, 3, 4)).max()) > 1e-10


@pytest.mark.parametrize("taps", [0.01, 0.1])
def test_the_short_response_inverts_towards_every_corner(taps: float) -> None:
    y = torch.randn(2, 8, *SIZE, dtype=torch.float64, generator=torch.manual_seed(1))
    expected = TileSolver.prepare(operator(taps), SIZE, torch.float64, (1, 1)).solve(y)
    found = ConvSolver.prepare(operator(taps), SIZE, torch.float64).solve(y)
    assert_close(found, expected, atol=3e-9, rtol=0)
