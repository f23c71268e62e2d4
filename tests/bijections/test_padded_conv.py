import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from tests.bijections.cases import shake
from zoo.bijections import EmergingConv2d, FInCUnit, PaddedConv2d
from zoo.errors import ConfigError
from zoo.solvers import CORNERS, METHODS


def loop_conv(kernel: Tensor, x: Tensor) -> Tensor:
    """The definition, tap by tap: top-left padded convolution of one group (C, H, W)."""
    _, _, kh, kw = kernel.shape
    y = torch.zeros_like(x)
    _, height, width = x.shape
    for h, w, i, j in itertools.product(range(height), range(width), range(kh), range(kw)):
        row, column = h - (kh - 1 - i), w - (kw - 1 - j)
        if row >= 0 and column >= 0:
            y[:, h, w] += kernel[:, :, i, j] @ x[:, row, column]
    return y


def loop_solve(kernel: Tensor, y: Tensor) -> Tensor:
    """Forward substitution, pixel by pixel and channel by channel, of one group (C, H, W)."""
    channels, _, kh, kw = kernel.shape
    x = torch.zeros_like(y)
    _, height, width = y.shape
    for h, w, c in itertools.product(range(height), range(width), range(channels)):
        rest = float(y[c, h, w])
        for i, j, d in itertools.product(range(kh), range(kw), range(channels)):
            row, column = h - (kh - 1 - i), w - (kw - 1 - j)
            if row >= 0 and column >= 0 and (row, column, d) != (h, w, c):
                rest -= float(kernel[c, d, i, j] * x[d, row, column])
        x[c, h, w] = rest / float(kernel[c, c, -1, -1])
    return x


def flip(x: Tensor, corner: str) -> Tensor:
    dims = [-2] * corner.startswith("bottom") + [-1] * corner.endswith("right")
    return x.flip(dims)


SHAPES = [(3, 3, 4, 6), (2, 5, 7, 3), (3, 2, 1, 5), (1, 3, 5, 1), (2, 4, 2, 3)]


@pytest.mark.parametrize(("channels", "k", "height", "width"), SHAPES)
@pytest.mark.parametrize("corner", CORNERS)
def test_forward_is_the_definition(corner, channels, k, height, width) -> None:
    layer = PaddedConv2d(channels, k, corner).double()
    shake(layer)
    x = torch.randn(2, channels, height, width, dtype=torch.float64)
    kernel = layer.kernel(torch.float64)[0].detach()
    expected = torch.stack([flip(loop_conv(kernel, flip(image, corner)), corner) for image in x])
    assert_close(layer(x)[0], expected + layer.bias)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("channels", "k", "height", "width"), SHAPES)
def test_the_inverse_is_forward_substitution(method, channels, k, height, width) -> None:
    layer = PaddedConv2d(channels, k, method=method).double().eval()
    shake(layer)
    y = torch.randn(2, channels, height, width, dtype=torch.float64)
    kernel = layer.kernel(torch.float64)[0].detach()
    expected = torch.stack([loop_solve(kernel, image) for image in y - layer.bias.detach()])
    assert_close(layer.inverse(y)[0], expected)  # the differentiable way
    with torch.no_grad():
        assert_close(layer.inverse(y)[0], expected)  # with a prepared solver


def test_finc_unit_is_four_convolutions_one_per_corner() -> None:
    unit = FInCUnit(8, (3, 2)).double()
    shake(unit)
    x = torch.randn(2, 8, 5, 7, dtype=torch.float64)
    groups = zip(unit.kernel(torch.float64), x.chunk(4, dim=1), CORNERS, strict=True)
    expected = [
        flip(F.conv2d(F.pad(flip(part, corner), (1, 0, 2, 0)), kernel), corner)
        for kernel, part, corner in groups
    ]
    assert_close(unit(x)[0], torch.cat(expected, dim=1))


def test_the_number_of_parameters_is_the_paper_s() -> None:
    # CInC Flow: 9 n^2 - n (n - 1) / 2 for a 3 x 3 convolution of n channels, and a bias here.
    n = 12
    layer = PaddedConv2d(n)
    assert sum(p.numel() for p in layer.parameters()) == 9 * n * n - n * (n - 1) // 2 + n


@pytest.mark.parametrize("layer", [PaddedConv2d(3), FInCUnit(8, (2, 3))], ids=["cinc", "finc"])
def test_no_number_in_a_parameter_is_masked(layer) -> None:
    shake(layer)
    y, log_det = layer(torch.randn(2, layer.channels, 5, 6))
    (y.square().sum() + log_det.sum()).backward()
    assert all((parameter.grad != 0).all() for parameter in layer.parameters())


def test_unit_diagonal_preserves_volume() -> None:
    layer = FInCUnit(8)
    shake(layer)
    assert torch.equal(layer(torch.randn(3, 8, 4, 4))[1], torch.zeros(3))


def test_the_diagonal_cannot_vanish_or_explode() -> None:
    layer = PaddedConv2d(2)
    for extreme in (-1e6, 1e6):
        torch.nn.init.constant_(layer.raw_log_diagonal, extreme)
        assert layer.log_diagonal().abs().max() <= 3


def test_stability_of_a_known_kernel() -> None:
    layer = PaddedConv2d(1, diagonal="unit")
    torch.nn.init.constant_(layer.taps, -0.1)
    stability = layer.stability((200, 200))
    assert stability.g == pytest.approx(0.8)
    assert stability.gain_bound == pytest.approx(1 / (1 - 0.8))
    # With equal signs the bound is sharp: the inverse of a constant tends to 1 / (1 - g).
    assert stability.gain == pytest.approx(stability.gain_bound, rel=1e-3)
    assert stability.condition == pytest.approx(1.8 * stability.gain)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("size", [(5, 4), (2, 7), (1, 1)])
@pytest.mark.parametrize("make", [PaddedConv2d, FInCUnit])
def test_gain_and_condition_are_those_of_the_matrix(make, size, invert: bool) -> None:
    layer = make(4, (3, 4), invert=invert).double().eval()
    shake(layer, 0.3)
    n = 4 * size[0] * size[1]
    zero = torch.zeros(1, 4, *size, dtype=torch.float64)
    with torch.no_grad():
        units = torch.eye(n, dtype=torch.float64).view(n, 4, *size)
        matrix = (layer.inverse(units)[0] - layer.inverse(zero)[0]).reshape(n, n).T
    stability = layer.stability(size)
    norm = torch.linalg.matrix_norm(matrix, torch.inf)
    inverse_norm = torch.linalg.matrix_norm(torch.linalg.inv(matrix), torch.inf)
    assert stability.gain == pytest.approx(float(norm))
    assert stability.condition == pytest.approx(float(norm * inverse_norm))
    assert stability.gain <= stability.gain_bound * (1 + 1e-9)


def test_the_bound_holds_whatever_the_taps() -> None:
    layer = FInCUnit(8, gain_max=0.9)
    shake(layer, 100.0)
    stability = layer.stability((16, 16))
    assert 0.8 < stability.g < 0.9
    assert stability.gain <= stability.gain_bound < torch.inf


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 3, "corner": "middle"}, "unknown corner 'middle'"),
        ({"channels": 0}, "positive multiple of 1"),
        ({"channels": 3, "kernel_size": 0}, "kernel_size must be at least 1"),
        ({"channels": 3, "diagonal": "none"}, "unknown diagonal 'none'"),
        ({"channels": 3, "method": "magic"}, "unknown method 'magic'"),
        ({"channels": 3, "gain_max": 0.0}, "gain_max must be positive"),
    ],
)
def test_bad_options_say_what_is_right(arguments, message) -> None:
    with pytest.raises(ConfigError, match=message):
        PaddedConv2d(**arguments)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_an_emerging_convolution_sees_all_of_its_square_support_and_no_more(k: int) -> None:
    layer = EmergingConv2d(3, k).double()
    shake(layer)
    impulses = torch.zeros(3, 3, 9, 9, dtype=torch.float64)
    impulses[range(3), range(3), 4, 4] = 1
    response = layer(impulses)[0] - layer(torch.zeros_like(impulses))[0]
    inside = torch.zeros(9, 9, dtype=torch.bool)
    inside[4 - k // 2 : 5 + k // 2, 4 - k // 2 : 5 + k // 2] = True
    assert torch.equal(response != 0, inside.expand_as(response))


def test_an_emerging_convolution_has_an_odd_support() -> None:
    with pytest.raises(ConfigError, match="is odd; got 4"):
        EmergingConv2d(3, 4)


def test_finc_unit_needs_a_multiple_of_four_channels() -> None:
    with pytest.raises(ConfigError, match="multiple of 4"):
        FInCUnit(6)
