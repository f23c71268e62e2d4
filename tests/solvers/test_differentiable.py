import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from tests.solvers.problems import kernel_of
from zoo.bijections import FInCUnit, PaddedConv2d
from zoo.solvers import CORNERS, METHODS, triangular_solve


def problem(groups: int = 4) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    kernel = kernel_of(groups, 2, (2, 3), std=0.3).requires_grad_()
    return kernel, torch.randn(1, groups * 2, 3, 2, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_are_those_of_finite_differences(method: str) -> None:
    assert torch.autograd.gradcheck(lambda k, y: triangular_solve(k, y, CORNERS, method), problem())


@pytest.mark.parametrize("corner", CORNERS)
def test_second_derivatives_are_those_of_finite_differences(corner: str) -> None:
    def solve(kernel: Tensor, y: Tensor) -> Tensor:
        return triangular_solve(kernel, y, (corner,))

    assert torch.autograd.gradgradcheck(solve, problem(groups=1))


def test_the_operator_is_registered_as_torch_wants_it() -> None:
    kernel, y = problem()
    arguments = (kernel.detach(), y.detach(), [0, 1, 2, 3], "auto")
    torch.library.opcheck(torch.ops.flowzoo.triangular_solve.default, arguments)


DIMS = [(None, 0), (None, 1), (0, None), (0, 0)]


@pytest.mark.parametrize(("kernel_dim", "map_dim"), DIMS)
def test_vmap_is_a_loop(kernel_dim: int | None, map_dim: int | None) -> None:
    kernels = torch.stack([kernel_of(4, 2, (3, 3)) for _ in range(3)])
    maps = torch.randn(3, 2, 8, 3, 4, dtype=torch.float64)
    kernel = kernels[0] if kernel_dim is None else kernels
    y = maps[0] if map_dim is None else maps.movedim(0, map_dim)
    mapped = torch.func.vmap(lambda k, y: triangular_solve(k, y, CORNERS), (kernel_dim, map_dim))
    loop = [
        triangular_solve(
            kernel if kernel_dim is None else kernels[i], y if map_dim is None else maps[i], CORNERS
        )
        for i in range(3)
    ]
    assert_close(mapped(kernel, y), torch.stack(loop))


def test_gradients_per_sample() -> None:
    kernel, _ = problem()
    maps = torch.randn(3, 1, 8, 3, 4, dtype=torch.float64)

    def loss(kernel: Tensor, y: Tensor) -> Tensor:
        return triangular_solve(kernel, y, CORNERS).square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 0))(kernel.detach(), maps)
    expected = [torch.autograd.grad(loss(kernel, y), kernel)[0] for y in maps]
    assert_close(per_sample, torch.stack(expected))


LAYERS = pytest.mark.parametrize(
    "layer",
    [PaddedConv2d(3), FInCUnit(8, 2), PaddedConv2d(3, invert=True)],
    ids=["cinc", "finc", "inverted"],
)


class Both(torch.nn.Module):
    """Encode and decode, as a module to compile or export."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, _ = self.layer(x)
        return y, self.layer.inverse(y)[0]


@LAYERS
def test_compiled_without_a_graph_break(layer: PaddedConv2d) -> None:
    layer.eval()
    x = torch.randn(2, layer.channels, 5, 4)
    both = Both(layer)
    compiled = torch.compile(both, fullgraph=True, backend="aot_eager")
    assert_close(compiled(x), both(x))
    with torch.no_grad():
        assert_close(compiled(x), both(x))


@LAYERS
def test_exported(layer: PaddedConv2d) -> None:
    x = torch.randn(2, layer.channels, 5, 4)
    both = Both(layer.eval())
    assert_close(torch.export.export(both, (x,)).module()(x), both(x))
