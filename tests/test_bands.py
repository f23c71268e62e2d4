"""Large maps in bands of rows: nets and solves give what they give on whole maps."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from tests.bijections.cases import shake
from tests.solvers.problems import kernel_of
from tests.solvers.test_solvers import corner_sets
from tests.test_flow import every_architecture, noise, tiny
from zoo.bijections import Bijection, FInCUnit, PaddedConv2d, bands
from zoo.bijections.nets import ConvNet, Trunk, ZeroConv
from zoo.bijections.quad_nets import SharedNet
from zoo.solvers import Operator, Plan, prepare, tiles

NETS = {
    "conv net": lambda: ConvNet(4, 8, 6),
    "conv net to few channels": lambda: ConvNet(2, 8, 3),
    "conv net with actnorm": lambda: ConvNet(4, 8, 6, actnorm=True),
    "zero conv": lambda: ZeroConv(4, 6),
    "padded convolution": lambda: PaddedConv2d(4),
    "FInC unit": lambda: FInCUnit(4, (3, 2)),
    "trunk": lambda: Trunk(4, 8),
    "shared net": lambda: SharedNet(2, 8, 2),
}


@pytest.fixture
def small_bands(monkeypatch) -> None:
    """Bands of three rows for nets, and of one row of tiles for solves."""
    monkeypatch.setattr(bands, "NUMBERS", 1)
    monkeypatch.setattr(bands, "ROWS", 3)
    monkeypatch.setattr(tiles, "NUMBERS", 1)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_a_layer_computes_the_same_in_bands(net: str, dtype, small_bands, monkeypatch) -> None:
    torch.manual_seed(0)
    layer = NETS[net]().to(dtype).eval()
    shake(layer, 0.3)
    x = torch.randn(
        2, {"shared net": 6, "conv net to few channels": 2}.get(net, 4), 11, 5, dtype=dtype
    )
    found = _map(layer, x)
    monkeypatch.setattr(bands, "ROWS", 11)
    whole = _map(layer, x)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    assert_close(found, whole, atol=tolerance, rtol=tolerance)


def _map(layer, x: Tensor) -> Tensor:
    return layer(x)[0] if isinstance(layer, Bijection) else layer(x)


@torch.no_grad()
def test_a_band_sees_no_more_than_its_reach() -> None:
    """The net is called on bands, not on the map: this is what saves the memory."""
    seen = []

    def function(x):
        seen.append(x.shape[2])
        return x

    x = torch.randn(1, 2, 300, 4)
    assert torch.equal(bands.in_bands(function, x, reach=2, width=2**24), x)
    assert seen == [34, *[36] * 8, 14]


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 3),
    height=st.integers(1, 14),
    width=st.integers(1, 9),
    kernel_size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    corners=corner_sets,
    tile=st.sampled_from([(1, 1), (1, 2), (2, 2), (2, 8), (3, 2)]),
    numbers=st.integers(1, 500),
)
def test_a_solve_in_bands_is_the_whole_solve(
    batch, height, width, kernel_size, corners, tile, numbers
) -> None:
    torch.manual_seed(0)
    kernel = kernel_of(len(corners), 3, kernel_size, std=0.1)
    bias = torch.randn(3 * len(corners), dtype=torch.float64)
    solver = prepare(
        Operator(kernel, corners, bias), (height, width), torch.float64, Plan("blocked", tile)
    )
    y = torch.randn(batch, 3 * len(corners), height, width, dtype=torch.float64)
    whole = solver.solve(y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "NUMBERS", numbers)
        assert_close(solver.solve(y), whole, atol=1e-12, rtol=1e-12)


@every_architecture
def test_a_flow_maps_images_to_the_same_latents_in_bands(architecture, monkeypatch) -> None:
    flow, images = tiny(architecture), noise(2, size=(24, 12))
    whole = flow.encode(images)
    for module, name, value in ((bands, "NUMBERS", 1), (bands, "ROWS", 2), (tiles, "NUMBERS", 1)):
        monkeypatch.setattr(module, name, value)
    z = flow.encode(images)
    assert_close(z, whole, atol=1e-4, rtol=1e-4)
    assert torch.equal(flow.decode(z, (24, 12)), images)
    assert torch.equal(flow.decode(whole, (24, 12)), images)
