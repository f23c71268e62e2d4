import pytest
import scipy.fft
import torch
from torch.testing import assert_close

from zoo.bijections.dct import dct1, dct2, idct1, idct2

TRANSFORMS = {"dct1": (dct1, idct1, 1), "dct2": (dct2, idct2, 2)}
every_transform = pytest.mark.parametrize("name", TRANSFORMS)


@every_transform
@pytest.mark.parametrize("n", [2, 3, 4, 7, 8, 99, 100])
@pytest.mark.parametrize("dim", [0, 1, -1, -2])
def test_transforms_are_scipy_s(name: str, n: int, dim: int) -> None:
    forward, inverse, kind = TRANSFORMS[name]
    x = torch.randn(5, n, dtype=torch.float64).movedim(1, dim)
    expected = torch.from_numpy(scipy.fft.dct(x.numpy(), type=kind, axis=dim))
    assert_close(forward(x, dim), expected, atol=1e-12, rtol=1e-12)
    back = torch.from_numpy(scipy.fft.idct(x.numpy(), type=kind, axis=dim))
    assert_close(inverse(x, dim), back, atol=1e-12, rtol=1e-12)


@every_transform
def test_float32_stays_float32_and_accurate(name: str) -> None:
    forward, inverse, kind = TRANSFORMS[name]
    x = torch.randn(3, 1000)
    expected = torch.from_numpy(scipy.fft.dct(x.double().numpy(), type=kind)).float()
    assert_close(forward(x), expected, atol=1e-4, rtol=1e-5)
    assert_close(inverse(forward(x)), x, atol=2e-6, rtol=0)


@every_transform
def test_one_sample_is_its_own_transform_up_to_a_factor(name: str) -> None:
    forward, inverse, kind = TRANSFORMS[name]
    x = torch.tensor([[3.0]])
    assert_close(forward(x), x * kind)
    assert_close(inverse(x * kind), x)


@pytest.mark.parametrize("transform", [dct1, idct1, dct2, idct2])
@pytest.mark.parametrize("n", [1, 2, 5, 66])
@pytest.mark.parametrize("dim", [0, -1])
def test_gradients_are_those_of_finite_differences(transform, n: int, dim: int) -> None:
    x = torch.randn(2, n, dtype=torch.float64).movedim(1, dim).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: transform(t, dim), x, fast_mode=True)
