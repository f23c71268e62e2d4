"""The kernel against the papers' wavefront, in Triton's interpreter; test_sweep.py runs this."""

import itertools

import pytest
import torch
from torch.testing import assert_close

from tests.solvers.problems import kernel_of
from zoo.solvers import CORNERS, Operator, Plan, differentiable, prepare
from zoo.solvers.operator import Corner

CASES = [
    # groups, channels of one, kernel, size, batch, bias
    (4, 1, (3, 3), (8, 8), 1, False),
    *((4, 1, (k, k), (3, 5), 1, False) for k in (1, 2, 4, 5, 6)),
    *((1, 2, (k, k), (3, 2), 3, True) for k in (1, 3, 7)),
    (4, 2, (2, 3), (3, 4), 2, True),
    (4, 1, (3, 3), (1, 5), 2, False),
    (1, 6, (3, 2), (8, 1), 1, True),
    (1, 8, (3, 3), (2, 3), 1, True),
    (4, 5, (2, 3), (3, 4), 2, False),
]


def problem(groups, channels, kernel_size, size, batch, bias, corners=None):
    torch.manual_seed(0)
    kernel = kernel_of(groups, channels, kernel_size, std=0.1)
    shift = torch.randn(groups * channels, dtype=torch.float64) if bias else None
    y = torch.randn(batch, groups * channels, *size, dtype=torch.float64)
    return Operator(kernel, corners or CORNERS[:groups], shift), y


def agrees(operator: Operator, y: torch.Tensor, dtype: torch.dtype) -> None:
    size = (y.shape[2], y.shape[3])
    expected = prepare(operator, size, torch.float64, Plan("wavefront")).solve(y)
    x = prepare(operator, size, dtype, Plan("sweep")).solve(y.to(dtype))
    assert x.dtype == dtype
    error = (x.double() - expected).norm() / expected.norm()
    assert error < (1e-12 if dtype == torch.float64 else 2e-6)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_kernel_is_the_wavefront(case) -> None:
    agrees(*problem(*case), torch.float32)


@pytest.mark.parametrize("corner", CORNERS)
def test_every_corner_alone_and_transposed(corner: Corner) -> None:
    operator, y = problem(1, 2, (2, 3), (4, 3), 2, True, (corner,))
    agrees(operator, y, torch.float32)
    opposite = CORNERS[3 - CORNERS.index(corner)]
    agrees(Operator(operator.kernel.transpose(1, 2), (opposite,)), y, torch.float64)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "expanded", "sliced"])
def test_strides_do_not_matter(layout: str) -> None:
    operator, y = problem(4, 2, (2, 2), (3, 2), 2, False)
    other = {
        "contiguous": y,
        "channels_last": y.contiguous(memory_format=torch.channels_last),
        "expanded": y[:1].expand(2, -1, -1, -1),
        "sliced": torch.stack([y, y], dim=-1)[..., 0],
    }[layout]
    agrees(operator, other, torch.float64)


def test_gradients_are_those_of_finite_differences(monkeypatch) -> None:
    monkeypatch.setattr(differentiable, "choose", lambda *_: Plan("sweep"))
    kernel = kernel_of(2, 1, (2, 2), std=0.1).requires_grad_()
    y = torch.randn(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    corners = ("bottom_left", "top_right")
    call = lambda kernel, y: differentiable.triangular_solve(kernel, y, corners)  # noqa: E731
    assert torch.autograd.gradcheck(call, (kernel, y), fast_mode=True)


def test_large_batches_take_several_programs() -> None:
    operator, y = problem(1, 1, (2, 2), (2, 2), 1, False)
    many = torch.cat([y * scale for scale in range(1, 40)])
    x = prepare(operator, (2, 2), torch.float64, Plan("sweep")).solve(many)
    one = prepare(operator, (2, 2), torch.float64, Plan("sweep")).solve(y)
    assert_close(x, torch.cat([one * scale for scale in range(1, 40)]))


def test_a_number_elsewhere_in_the_batch_does_not_matter() -> None:
    operator, y = problem(4, 1, (2, 2), (4, 4), 3, False)
    solver = prepare(operator, (4, 4), torch.float64, Plan("sweep"))
    x = solver.solve(y)
    y[1] = torch.nan
    for i in itertools.chain([0], [2]):
        assert torch.equal(solver.solve(y)[i], x[i])
