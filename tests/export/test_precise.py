"""ONNX has no log1p and no expm1: what an exported program computes in their place."""

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from zoo.bijections import SLogGate
from zoo.export.formats import OnnxFile

NUMBERS = torch.logspace(-9, 1.9, 1000, dtype=torch.float64)
NUMBERS = torch.cat([-NUMBERS, torch.zeros(1, dtype=torch.float64), NUMBERS])


class Both(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return torch.log1p(x), torch.expm1(x)


class ThereAndBack(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = SLogGate(4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.gate(x)[0]
        return y, self.gate.inverse(y)[0]


def in_onnx(module: nn.Module, x: Tensor) -> list[Tensor]:
    program = torch.export.export(module.eval(), (x,), strict=False)
    return OnnxFile(program, ["x"], ["y", "z"]).run([x])


@pytest.mark.parametrize(("dtype", "roundings"), [(torch.float32, 5e-7), (torch.float64, 1e-15)])
def test_digits_near_zero_are_kept(dtype: torch.dtype, roundings: float) -> None:
    numbers = NUMBERS.to(dtype)
    logarithm, exponential = in_onnx(Both(), numbers)
    exact = numbers.double()
    assert logarithm.dtype == exponential.dtype == dtype
    assert_close(logarithm.double(), exact.log1p(), rtol=roundings, atol=0, equal_nan=True)
    assert_close(exponential.double(), exact.expm1(), rtol=roundings, atol=0)


@pytest.mark.parametrize("x", [-1.0, torch.inf, -torch.inf, torch.nan, 100.0, -100.0])
def test_ends_are_those_of_torch(x: float) -> None:
    ends = torch.tensor([x])
    for got, wanted in zip(in_onnx(Both(), ends), Both()(ends), strict=True):
        assert_close(got, wanted, equal_nan=True)


@torch.no_grad()
def test_a_gate_near_the_identity_comes_back() -> None:
    module = ThereAndBack()
    module.gate.raw.fill_(-3.0)  # alpha near its least
    x = torch.randn(2, 4, 5, 3, generator=torch.manual_seed(0))
    y, back = in_onnx(module, x)
    assert_close(y, module(x)[0], rtol=1e-6, atol=1e-7)
    assert_close(back, x, rtol=1e-6, atol=1e-7)
