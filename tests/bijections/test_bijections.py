"""Properties of every bijection, proven on every row of the table."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

import zoo.bijections
from tests.bijections.cases import CASES, Case, shake
from zoo.bijections import FInCUnit, PaddedConv2d, QuadCoupling
from zoo.solvers import CORNERS, METHODS

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
TOLERANCE = {torch.float32: 2e-5, torch.float64: 1e-12}


def flat_jacobian(function, x: Tensor) -> Tensor:
    """(B, D, D) of a function of (B, C, H, W) that treats images apart from each other."""
    return torch.stack([_jacobian(function, image) for image in x])


def _jacobian(function, image: Tensor) -> Tensor:
    """(D, D), from as many copies of the image as it has numbers: one for each output."""
    copies = image.expand(image.numel(), *image.shape).clone().requires_grad_()
    outputs = function(copies).flatten(1).diagonal()
    return torch.autograd.grad(outputs.sum(), copies)[0].flatten(1)


def other_layouts(x: Tensor) -> list[Tensor]:
    """Equal tensors with other strides: axes swapped in memory, gaps, channels last."""
    gaps = torch.stack([x, x], dim=-1)[..., 0]
    layouts = [x.mT.contiguous().mT, gaps]
    return [*layouts, x.contiguous(memory_format=torch.channels_last)] if x.dim() == 4 else layouts


def test_every_bijection_is_in_the_table() -> None:
    # Dequantize is no bijection of reals: its inverse rounds, see test_layers.py.
    public = set(zoo.bijections.__all__) - {"Bijection", "Dequantize"}
    assert public == {type(case.make()).__name__ for case in CASES.values()}


@every_case
@pytest.mark.parametrize(("dtype", "batch"), [(torch.float32, 3), (torch.float64, 1)], ids=str)
def test_the_inverse_undoes_forward_and_forward_the_inverse(case: Case, dtype, batch: int) -> None:
    bijection, x = case.build(dtype, batch)
    y, log_det = bijection(x)
    back, inverse_log_det = bijection.inverse(y)
    assert y.numel() == x.numel()
    assert log_det.shape == (batch,)
    assert y.dtype == dtype
    # Shapes and types must agree as well.
    tolerance = {"atol": TOLERANCE[dtype], "rtol": TOLERANCE[dtype]}
    assert_close(back, x, **tolerance)
    assert_close(bijection(back)[0], y, **tolerance)
    assert_close(inverse_log_det, -log_det, **tolerance)


@every_case
def test_log_det_is_the_jacobian_s(case: Case) -> None:
    bijection, x = case.build(torch.float64)
    jacobian = flat_jacobian(lambda t: bijection(t)[0], x)
    expected = torch.linalg.slogdet(jacobian).logabsdet
    assert_close(bijection(x)[1], expected, atol=1e-9, rtol=0)


@every_case
def test_log_det_of_the_inverse_is_its_jacobian_s(case: Case) -> None:
    bijection, x = case.build(torch.float64)
    y = bijection(x)[0].detach()
    jacobian = flat_jacobian(lambda t: bijection.inverse(t)[0], y)
    expected = torch.linalg.slogdet(jacobian).logabsdet
    assert_close(bijection.inverse(y)[1], expected, atol=1e-9, rtol=0)


@every_case
def test_memory_layout_does_not_matter(case: Case) -> None:
    bijection, x = case.build(torch.float64)
    y, log_det = bijection(x)
    for other in other_layouts(x):
        assert_close(bijection(other), (y, log_det))
    for other in other_layouts(y):
        assert_close(bijection.inverse(other)[0], x)


@every_case
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_gradients_reach_every_parameter_and_the_input(case: Case, direction: str) -> None:
    bijection, x = case.build()
    x = x if direction == "forward" else bijection(x)[0].detach()
    x.requires_grad_()
    y, log_det = getattr(bijection, direction)(x)
    (y.square().sum() + log_det.sum()).backward()
    unreached = [
        name
        for name, parameter in bijection.named_parameters()
        if parameter.numel()
        and (parameter.grad is None or parameter.grad.isnan().any() or not parameter.grad.any())
    ]
    assert unreached == []
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


@every_case
def test_state_dict_pickle_and_deepcopy_carry_everything(case: Case) -> None:
    bijection, x = case.build()
    with torch.no_grad():
        y, log_det = bijection(x)
        bijection.inverse(y)  # fills the caches, which must not be carried
        fresh, _ = case.build(seed=1)
        fresh.load_state_dict(bijection.state_dict())
        for other in (fresh, pickle.loads(pickle.dumps(bijection)), copy.deepcopy(bijection)):
            assert_close(other(x), (y, log_det), rtol=0, atol=0)
            assert_close(other.inverse(y), bijection.inverse(y), rtol=0, atol=0)


@every_case
def test_the_dtype_can_move(case: Case) -> None:
    bijection, x = case.build()
    with torch.no_grad():
        y = bijection.inverse(bijection(x)[0])[0]
        double = bijection.double()
        assert_close(double.inverse(double(x.double())[0])[0], x.double(), atol=1e-12, rtol=1e-12)
        single = bijection.float()
        assert_close(single.inverse(single(x)[0])[0], y, atol=0, rtol=0)


@every_case
def test_no_cached_value_outlives_the_weights(case: Case) -> None:
    bijection, x = case.build(torch.float64)
    other, _ = case.build(torch.float64, seed=2)

    def update() -> None:
        for parameter in bijection.parameters():
            parameter.mul_(0.9)

    def write_past_the_version_counter() -> None:
        bijection.train()
        for parameter in bijection.parameters():
            parameter.data.mul_(1.1)
        bijection.eval()

    with torch.no_grad():
        bijection.inverse(bijection(x)[0])
        for change in (
            update,
            lambda: bijection.load_state_dict(other.state_dict()),
            write_past_the_version_counter,
        ):
            change()
            fresh = copy.deepcopy(bijection)  # without what is cached
            y, log_det = bijection(x)
            assert_close((y, log_det), fresh(x), rtol=0, atol=0)
            assert_close(bijection.inverse(y), fresh.inverse(y), rtol=0, atol=0)
            assert_close(bijection.inverse(y)[0], x)


sizes = st.integers(1, 9)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 5),
    height=sizes,
    width=sizes,
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    corner=st.sampled_from(CORNERS),
    diagonal=st.sampled_from(["free", "unit"]),
    method=st.sampled_from(METHODS),
)
def test_padded_conv_of_any_shape_comes_back(
    batch, channels, height, width, kernel, corner, diagonal, method
) -> None:
    layer = PaddedConv2d(channels, kernel, corner, diagonal, method=method).double().eval()
    shake(layer, 0.05)
    x = torch.randn(batch, channels, height, width, dtype=torch.float64)
    with torch.no_grad():
        assert_close(layer.inverse(layer(x)[0])[0], x, atol=1e-10, rtol=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    quarter=st.integers(1, 4),
    height=sizes,
    width=sizes,
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    method=st.sampled_from(METHODS),
)
def test_finc_unit_of_any_shape_comes_back(quarter, height, width, kernel, method) -> None:
    layer = FInCUnit(4 * quarter, kernel, method=method).double().eval()
    shake(layer, 0.05)
    x = torch.randn(2, 4 * quarter, height, width, dtype=torch.float64)
    assert_close(layer.inverse(layer(x)[0])[0], x, atol=1e-10, rtol=1e-10)


@settings(max_examples=20, deadline=None)
@given(
    block=st.integers(1, 3), height=sizes, width=sizes, affine=st.booleans(), shared=st.booleans()
)
def test_quad_coupling_of_any_shape_comes_back(block, height, width, affine, shared) -> None:
    layer = QuadCoupling(4 * block, 5, affine, shared=shared).double()
    shake(layer, 0.1)
    x = torch.randn(2, 4 * block, height, width, dtype=torch.float64)
    assert_close(layer.inverse(layer(x)[0])[0], x, atol=1e-10, rtol=1e-10)
