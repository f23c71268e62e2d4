"""Convolutions against matrices built by hand, scipy's, and what is documented of sizes."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from tests.bijections.cases import shake
from tests.bijections.test_bijections import flat_jacobian
from zoo.bijections import CircularConv, SymmetricConv
from zoo.bijections.spectral_conv import SpectralConv
from zoo.errors import ConfigError, NotInvertibleError

SCIPY_MODES = {"circular": "wrap", "reflect": "mirror", "symmetric": "reflect"}
BOUNDARIES = list(SCIPY_MODES)
every_boundary = pytest.mark.parametrize("boundary", BOUNDARIES)


def make(boundary: str, ndim: int, std: float = 0.1, **options) -> SpectralConv:
    """A layer off its start, in float64."""
    torch.manual_seed(0)
    if boundary == "circular":
        layer: SpectralConv = CircularConv(2, ndim, **options)
    else:
        layer = SymmetricConv(2, ndim, boundary, **options)
    shake(layer, std)
    return layer.double().eval()


def taps_of(layer: SpectralConv) -> Tensor:
    return layer.kernel.taps(layer.coefficients).detach()


def dense(boundary: str, taps: Tensor, n: int) -> Tensor:
    """The N x N matrix of a 1-D convolution: circulant, or Toeplitz plus Hankel."""
    w = np.zeros(n + 1)
    w[: len(taps)] = taps
    i, j = np.indices((n, n))
    if boundary == "circular":
        return torch.from_numpy(w[(i - j) % n])
    period = 2 * n - 2 if boundary == "reflect" else 2 * n

    def even(m: np.ndarray) -> np.ndarray:
        return w[np.minimum(m % period, -m % period)]

    if boundary == "symmetric":
        return torch.from_numpy(even(i - j) + even(i + j + 1))
    inside = (j > 0) & (j < n - 1)  # the two end samples occur once in a period, others twice
    return torch.from_numpy(even(i - j) + even(i + j) * inside)


@every_boundary
@pytest.mark.parametrize("n", [4, 5, 8, 9])
@pytest.mark.parametrize("full_length", [False, True])
def test_1d_is_the_dense_matrix(boundary: str, n: int, full_length: bool) -> None:
    layer = make(boundary, 1, kernel="taps", length=n if full_length else 3)
    x = torch.randn(3, 2, n, dtype=torch.float64)
    matrices = torch.stack([dense(boundary, taps, n) for taps in taps_of(layer)])
    y, log_det = layer(x)
    assert_close(y, torch.einsum("cij,bcj->bci", matrices, x))
    assert_close(
        log_det, torch.linalg.slogdet(matrices).logabsdet.sum().expand(3), atol=1e-9, rtol=0
    )
    solution = torch.linalg.solve(matrices, x.permute(1, 2, 0)).permute(2, 0, 1)
    assert_close(layer.inverse(x)[0], solution)


@every_boundary
@pytest.mark.parametrize("size", [(4, 7), (5, 3), (6, 6)])
def test_2d_separable_is_a_kronecker_product(boundary: str, size: tuple[int, int]) -> None:
    layer = make(boundary, 2, kernel="taps")
    x = torch.randn(2, 2, *size, dtype=torch.float64)
    halves = layer.coefficients.detach().chunk(2, dim=1)
    identity = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    down, across = (
        torch.stack([dense(boundary, taps, n) for taps in half + identity])
        for half, n in zip(halves, size, strict=True)
    )
    y, log_det = layer(x)
    assert_close(y, down @ x @ across.mT)
    log_u, log_v = (torch.linalg.slogdet(m).logabsdet.sum() for m in (down, across))
    expected = size[1] * log_u + size[0] * log_v
    assert_close(log_det, expected.expand(2), atol=1e-9, rtol=0)


@every_boundary
@pytest.mark.parametrize("n", [5, 6, 11])
def test_1d_is_scipy_s_convolution_at_any_size(boundary: str, n: int) -> None:
    layer = make(boundary, 1, kernel="taps")
    x = torch.randn(1, 2, n, dtype=torch.float64)
    y, _ = layer(x)
    for c, taps in enumerate(taps_of(layer).numpy()):
        before = np.zeros(2) if boundary == "circular" else taps[:0:-1]
        weights = np.concatenate([before, taps])
        expected = scipy.ndimage.convolve1d(x[0, c].numpy(), weights, mode=SCIPY_MODES[boundary])
        assert_close(y[0, c], torch.from_numpy(expected))


@every_boundary
@pytest.mark.parametrize("size", [(5, 4), (6, 7)])
def test_2d_full_is_scipy_s_convolution(boundary: str, size: tuple[int, int]) -> None:
    layer = make(boundary, 2, kernel="taps", separable=False)
    x = torch.randn(1, 2, *size, dtype=torch.float64)
    y, _ = layer(x)
    for c, taps in enumerate(taps_of(layer).numpy()):
        weights = np.pad(
            taps, ((2, 0), (2, 0)), mode="constant" if boundary == "circular" else "reflect"
        )
        expected = scipy.ndimage.convolve(x[0, c].numpy(), weights, mode=SCIPY_MODES[boundary])
        assert_close(y[0, c], torch.from_numpy(expected))


@every_boundary
@pytest.mark.parametrize("separable", [True, False])
def test_a_spectral_kernel_is_a_real_convolution_with_the_documented_response(
    boundary: str, separable: bool
) -> None:
    layer, n = make(boundary, 1, separable=separable), 7
    theta = {
        "circular": 2 * np.pi * np.arange(n) / n,
        "reflect": np.pi * np.arange(n) / (n - 1),
        "symmetric": np.pi * np.arange(n) / n,
    }[boundary]
    for c, values in enumerate(layer.coefficients.detach().numpy()):
        if boundary == "circular":
            log = (values * np.exp(-1j * np.outer(theta, np.arange(-2, 3)))).sum(1)
        else:
            log = (values * np.cos(np.outer(theta, np.arange(3)))).sum(1)
        response = np.exp(2 * np.tanh(log.real / 2) + 1j * log.imag)
        # The eigenvalues of the layer's own matrix, found without knowing how it is diagonalised.
        jacobian = flat_jacobian(lambda t: layer(t)[0], torch.zeros(1, 2, n, dtype=torch.float64))
        matrix = jacobian[0].reshape(2, n, 2, n)[c, :, c].numpy()
        found = np.linalg.eigvals(matrix)
        distance = np.abs(found[:, None] - response[None, :])
        assert distance.min(0).max() < 1e-9
        assert distance.min(1).max() < 1e-9


def test_a_constant_map_is_scaled_by_the_response_at_frequency_0_at_every_size() -> None:
    for boundary in BOUNDARIES:
        for options in ({}, {"separable": False}):
            layer = make(boundary, 2, **options)
            ones = [
                torch.ones(1, 2, h, w, dtype=torch.float64) for h, w in [(1, 1), (4, 7), (32, 9)]
            ]
            means = [layer(x)[0].mean((0, 2, 3)) for x in ones]
            assert_close(means[1], means[0])
            assert_close(means[2], means[0])


@pytest.mark.parametrize(
    ("boundary", "sizes"), [("circular", (6, 12)), ("reflect", (6, 11)), ("symmetric", (6, 12))]
)
@pytest.mark.parametrize("ndim", [1, 2])
@pytest.mark.parametrize("separable", [True, False])
def test_another_size_samples_the_same_response(boundary, sizes, ndim, separable) -> None:
    # At the larger size every second frequency is one of the smaller size's.
    layer = make(boundary, ndim, std=1.0, separable=separable)
    small, large = (layer.kernel.response(layer.coefficients, (n,) * ndim).values for n in sizes)
    every_second = large[..., ::2] if ndim == 1 else large[..., ::2, ::2]
    last = small.shape[-1]
    assert_close(every_second[..., :last], small)


@every_boundary
@pytest.mark.parametrize("kernel", ["spectral", "taps"])
@pytest.mark.parametrize(("ndim", "size"), [(1, (6,)), (2, (4, 3))])
@pytest.mark.parametrize("separable", [True, False])
def test_stability_is_that_of_the_matrix(boundary, kernel, ndim, size, separable) -> None:
    layer = make(boundary, ndim, std=0.15, kernel=kernel, separable=separable)
    jacobian = flat_jacobian(lambda t: layer(t)[0], torch.zeros(1, 2, *size, dtype=torch.float64))
    weight = torch.ones(2, *size, dtype=torch.float64)
    if boundary == "reflect":  # the norm of one period, in which the end samples occur once
        for axis in range(1, ndim + 1):
            ends = weight.index_select(axis, torch.tensor([0, size[axis - 1] - 1]))
            weight.index_copy_(axis, torch.tensor([0, size[axis - 1] - 1]), ends / 2)
    root = weight.flatten().sqrt()
    singular = torch.linalg.svdvals(root[:, None] * jacobian[0] / root)
    stability = layer.stability(size)
    assert stability.gain == pytest.approx(float(1 / singular.min()))
    assert stability.condition == pytest.approx(float(singular.max() / singular.min()))
    assert stability.gain <= stability.gain_bound
    plain = float(1 / torch.linalg.svdvals(jacobian[0]).min())
    factor = 2 ** (ndim / 2) if boundary == "reflect" else 1 + 1e-9
    assert stability.gain / factor <= plain <= stability.gain * factor


@every_boundary
@pytest.mark.parametrize("separable", [True, False])
def test_the_condition_number_of_a_spectral_kernel_is_bounded(boundary, separable) -> None:
    layer = make(boundary, 2, std=1e4, separable=separable)
    for size in [(1, 1), (8, 5), (28, 28)]:
        stability = layer.stability(size)
        assert stability.gain <= stability.gain_bound * (1 + 1e-9)
        assert stability.gain_bound == pytest.approx(math.exp(2))
        assert stability.condition <= math.exp(4) * (1 + 1e-9)


@every_boundary
def test_a_vanishing_bin_is_an_error(boundary: str) -> None:
    layer = make(boundary, 1, kernel="taps", length=2)
    # w = (1, -1) or (1, -1/2): a constant signal is mapped to 0.
    vanishing = [0, -1] if boundary == "circular" else [0, -0.5]
    with torch.no_grad():
        layer.coefficients.copy_(torch.tensor(vanishing).expand(2, 2))
    with pytest.raises(NotInvertibleError, match="falls to .* on maps of 6: .* not invertible"):
        layer(torch.randn(1, 2, 6, dtype=torch.float64))
    with torch.no_grad():
        layer.coefficients.fill_(math.nan)
    with pytest.raises(NotInvertibleError, match="falls to nan"):
        layer.inverse(torch.randn(1, 2, 6, dtype=torch.float64))
    assert make(boundary, 1, kernel="taps").stability((6,)).gain_bound == math.inf


@settings(max_examples=60, deadline=None)
@given(
    boundary=st.sampled_from(BOUNDARIES),
    size=st.lists(st.integers(1, 9), min_size=1, max_size=2),
    length=st.integers(1, 4),
    separable=st.booleans(),
    batch=st.integers(1, 3),
)
def test_maps_of_any_shape_come_back(boundary, size, length, separable, batch) -> None:
    layer = make(boundary, len(size), std=0.5, length=length, separable=separable)
    x = torch.randn(batch, 2, *size, dtype=torch.float64)
    assert_close(layer.inverse(layer(x)[0])[0], x, atol=1e-11, rtol=0)
    single = layer.float()
    assert_close(single.inverse(single(x.float())[0])[0], x.float(), atol=2e-5, rtol=0)


def test_a_layer_starts_as_the_identity() -> None:
    for kernel in ("spectral", "taps"):
        for layer in (CircularConv(2, kernel=kernel), SymmetricConv(2, kernel=kernel)):
            x = torch.randn(2, 2, 5, 4)
            y, log_det = layer(x)
            assert_close(y, x, atol=1e-6, rtol=0)
            assert_close(log_det, torch.zeros(2), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: CircularConv(0), "channels must be at least 1; got 0"),
        (lambda: CircularConv(2, 3), "ndim must be 1 or 2; got 3"),
        (lambda: CircularConv(2, length=0), "length must be at least 1; got 0"),
        (lambda: CircularConv(2, kernel="fir"), "unknown kernel 'fir'; choose from spectral, taps"),
        (
            lambda: SymmetricConv(2, 1, "circular"),
            "unknown boundary 'circular'; choose from reflect",
        ),
        (
            lambda: CircularConv(2, kernel="taps", length=5)(torch.zeros(1, 2, 8, 4)),
            "a kernel of 5 taps needs maps of at least as many; got 8 x 4. Use fewer taps",
        ),
    ],
)
def test_bad_options_say_what_is_right(make_layer, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_layer()
