"""Time per element of CONF's convolutions against the length of the signal, and of dense solves."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.timing import interleaved_medians
from zoo.bijections import CircularConv, SymmetricConv
from zoo.bijections.spectral_conv import SpectralConv

LENGTHS = tuple(2**k for k in range(6, 17))
# A dense 16,384 x 16,384 matrix takes 1 GiB.
LONGEST_DENSE = 4096
# In every batch, so that the cost of a call weighs alike at all lengths.
ELEMENTS = 2**18

LAYERS: dict[str, Callable[[], SpectralConv]] = {
    "circular": lambda: CircularConv(1, 1),
    "reflect": lambda: SymmetricConv(1, 1),
    "symmetric": lambda: SymmetricConv(1, 1, "symmetric"),
}


class Row(NamedTuple):
    """One measurement.

    Attributes:
        convolution: Boundary, or "dense" for torch.linalg.solve with the circulant matrix.
        direction: "forward" (log_det included) or "inverse".
        length: N.
        nanoseconds_per_element: Median over repetitions, divided by N and the batch.
        threads: Threads of torch.
    """

    convolution: str
    direction: str
    length: int
    nanoseconds_per_element: float
    threads: int


@torch.no_grad()
def measure(length: int, repeats: int) -> list[Row]:
    """Time every convolution on signals of one length, all of them interleaved."""
    torch.manual_seed(0)
    x = torch.randn(max(1, ELEMENTS // length), 1, length)
    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    for name, make in LAYERS.items():
        layer = make().eval()
        layer.coefficients.normal_(std=0.3)
        for direction in ("forward", "inverse"):
            calls[name, direction] = partial(getattr(layer, direction), x)
    if length <= LONGEST_DENSE:
        calls["dense", "inverse"] = partial(torch.linalg.solve, _circulant(length), x[:, 0].mT)
    return [
        Row(*key, length, 1e6 * milliseconds / x.numel(), torch.get_num_threads())
        for key, milliseconds in interleaved_medians(calls, repeats).items()
    ]


def _circulant(length: int) -> Tensor:
    """The matrix of a circular convolution, from its action on unit impulses."""
    layer = CircularConv(1, 1)
    layer.coefficients.normal_(std=0.3)
    return layer(torch.eye(length)[:, None])[0][:, 0].mT.contiguous()
