"""A flow's watch looks at every bit of every weight."""

import pytest
import torch
from torch import nn

from zoo.architectures import ARCHITECTURES, build
from zoo.bijections import cache
from zoo.bijections.cache import Watch, weights_of


class _Empty(nn.Module):
    """A module of length 0 that has a weight, and a part that is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.register_module("missing", None)
        self.register_buffer("nothing", None)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64), persistent=False)

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("module", [_Empty(), nn.ModuleList([_Empty(), nn.ModuleList()])])
def test_all_weights_are_found(module: nn.Module) -> None:
    named = [*module.parameters(), *module.buffers()]
    assert {id(weight) for weight in weights_of(module)} == {id(weight) for weight in named}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_all_weights_of_a_flow_are_found(name: str) -> None:
    flow = build(ARCHITECTURES[name].preset("compact_mnist", steps=1, hidden_channels=8))
    named = [*flow.parameters(), *flow.buffers()]
    assert {id(weight) for weight in weights_of(flow)} == {id(weight) for weight in named}


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.complex128, torch.float64, torch.float32, torch.bfloat16])
def test_the_last_bit_of_a_weight_is_compared(dtype: torch.dtype) -> None:
    module = nn.Linear(3, 1, bias=False, dtype=dtype).eval()
    watch, before = Watch(), cache._last_write
    watch.check(module)
    assert cache._last_write > before
    before = cache._last_write
    watch.check(module)
    assert cache._last_write == before
    module.weight.data.view(torch.uint8)[0, 0] ^= 1
    watch.check(module)
    assert cache._last_write > before
