"""Every method against the papers' wavefront, which test_padded_conv.py holds to a plain loop."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from tests.solvers.problems import kernel_of
from zoo.errors import ConfigError, NonFiniteError, NotInvertibleError
from zoo.solvers import CORNERS, METHODS, Operator, Plan, Shape, choose, impulse_response, prepare
from zoo.solvers.choice import TILES, candidates

sizes = st.integers(1, 12)
corner_sets = st.sampled_from([*((corner,) for corner in CORNERS), CORNERS, CORNERS[::-1]])
plans = st.one_of(
    st.sampled_from([Plan(method) for method in METHODS if method not in ("auto", "blocked")]),
    st.sampled_from([Plan("blocked", tile) for tile in (*TILES, (3, 2), (12, 12))]),
)


def solve(operator: Operator, y: Tensor, plan: Plan, dtype=torch.float64) -> Tensor:
    return prepare(operator, tuple(y.shape[2:]), dtype, plan).solve(y.to(dtype))


@settings(max_examples=150, deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 4),
    height=sizes,
    width=sizes,
    kernel_size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    corners=corner_sets,
    bias=st.booleans(),
    plan=plans,
)
def test_every_method_is_the_wavefront(
    batch, channels, height, width, kernel_size, corners, bias, plan
) -> None:
    torch.manual_seed(0)
    kernel = kernel_of(len(corners), channels, kernel_size, std=0.1)
    total = len(corners) * channels
    shift = torch.randn(total, dtype=torch.float64) if bias else None
    operator = Operator(kernel, corners, shift)
    y = torch.randn(batch, total, height, width, dtype=torch.float64)
    expected = solve(operator, y, Plan("wavefront"))
    assert_close(solve(operator, y, plan), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("corners", [("top_left",), CORNERS], ids=["one", "four"])
@pytest.mark.parametrize("layout", ["channels_last", "transposed", "expanded"])
@pytest.mark.parametrize("method", METHODS)
def test_strides_do_not_matter(method: str, layout: str, corners) -> None:
    channels = 3 * len(corners)
    operator = Operator(kernel_of(len(corners), 3, (3, 3)), corners)
    y = torch.randn(2, channels, 4, 6, dtype=torch.float64)
    if layout == "expanded":
        y = y[:1].expand(2, -1, -1, -1)
    other = {
        "channels_last": lambda: y.contiguous(memory_format=torch.channels_last),
        "transposed": lambda: y.mT.contiguous().mT,
        "expanded": lambda: y,
    }[layout]()
    plan = choose(method, shape_of(operator, y))
    assert_close(solve(operator, other, plan), solve(operator, y.contiguous(), plan))


def shape_of(operator: Operator, y: Tensor) -> Shape:
    kernel_size = tuple(operator.kernel.shape[3:])
    return Shape(
        operator.kernel.shape[1], kernel_size, operator.corners, tuple(y.shape[2:]), len(y)
    )


def test_the_input_is_left_alone() -> None:
    operator = Operator(kernel_of(1, 3, (3, 3)), ("top_left",))
    y = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    before = y.clone()
    for plan in candidates(shape_of(operator, y)):
        solve(operator, y, plan)
        assert torch.equal(y, before)


@pytest.mark.parametrize("method", METHODS)
def test_float32_errs_by_rounding_only(method: str) -> None:
    torch.manual_seed(0)
    operator = Operator(kernel_of(4, 3, (3, 3), std=0.05), CORNERS)
    y = torch.randn(2, 12, 16, 16, dtype=torch.float64)
    plan = choose(method, shape_of(operator, y))
    single = solve(operator, y, plan, torch.float32)
    assert_close(single.double(), solve(operator, y, plan), atol=1e-5, rtol=1e-5)


def test_impulse_response_is_the_inverse_matrix() -> None:
    kernel = kernel_of(1, 2, (3, 2))
    height, width = 4, 3
    response = impulse_response(kernel, (height, width))[0]
    unit = torch.eye(2 * height * width, dtype=torch.float64).view(-1, 2, height, width)
    inverse = solve(Operator(kernel, ("top_left",)), unit, Plan("wavefront"))
    for h, w in [(0, 0), (1, 0), (2, 1)]:  # where the impulse is
        moved = inverse.view(2, height, width, 2, height, width)[:, h, w]  # (in, out, H, W)
        assert_close(moved[:, :, h:, w:], response[:, :, : height - h, : width - w].transpose(0, 1))
        assert not moved[:, :, :h].any()
        assert not moved[..., :w].any()


def test_auto_never_takes_matrices_beyond_memory() -> None:
    shape = Shape(96, (3, 3), ("top_left",), (512, 512), 1)
    assert {plan.method for plan in candidates(shape)} == {"blocked"}
    for method in ("dense", "row_scan"):
        with pytest.raises(ConfigError, match=f"'{method}' takes too much memory.*use 'auto'"):
            choose(method, shape)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    kernel = kernel_of(1, 2, (3, 3))
    kernel[0, 1, 0, 0, 0] = bad
    with pytest.raises(NonFiniteError, match="kernel of the convolution holds NaN"):
        prepare(Operator(kernel, ("top_left",)), (4, 4), torch.float32, Plan("row_scan"))


def test_a_singular_last_tap_is_refused() -> None:
    kernel = kernel_of(1, 2, (3, 3))
    kernel[0, :, 1, -1, -1] = 0
    with pytest.raises(NotInvertibleError, match="last tap of the convolution is singular"):
        prepare(Operator(kernel, ("top_left",)), (4, 4), torch.float32, Plan("blocked"))
