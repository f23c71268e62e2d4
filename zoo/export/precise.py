"""log(1 + x) and exp(x) - 1 in ONNX, which lacks both.

Torch writes them as they read: near 0 the sum forgets x. Kahan's forms make up for what is lost by
dividing by what the sum became (Higham, Accuracy and Stability of Numerical Algorithms, 2002,
section 1.14).
"""

from collections.abc import Callable
from typing import Any

import torch

from zoo.errors import require


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """The functions by the operators of torch that they stand for, for `torch.onnx.export`."""
    op = require("onnxscript", "onnx").opset20

    def one_like(x: Any) -> Any:
        return op.CastLike(op.Constant(value_float=1.0), x)

    def log1p(x: Any) -> Any:
        one = one_like(x)
        u = op.Add(one, x)
        near = op.Div(op.Mul(op.Log(u), x), op.Sub(u, one))
        near = op.Where(op.Equal(u, one), x, near)
        return op.Where(op.Greater(op.Abs(x), one), op.Log(u), near)

    def expm1(x: Any) -> Any:
        one, u = one_like(x), op.Exp(x)
        near = op.Div(op.Mul(op.Sub(u, one), x), op.Log(u))
        near = op.Where(op.Equal(u, one), x, near)
        return op.Where(op.Greater(op.Abs(x), one), op.Sub(u, one), near)

    return {torch.ops.aten.log1p.default: log1p, torch.ops.aten.expm1.default: expm1}
