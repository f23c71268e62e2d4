import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.testing import assert_close

from zoo.bijections.gates import GATES, AsinhGate, Gate, LeakyReLUGate, SLogGate
from zoo.bijections.scale import unbounded

every_gate = pytest.mark.parametrize("name", GATES)


def gate_of(name: str, raw: float = 1.0) -> Gate:
    gate = GATES[name](1).double()
    torch.nn.init.constant_(gate.raw, raw)
    return gate.requires_grad_(False)


def with_alpha(name: str, alpha: float) -> Gate:
    raw = unbounded(torch.tensor(alpha / 0.01).log(), math.log(100))
    return gate_of(name, float(raw))


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("slog", lambda x, a: math.copysign(math.log(1 + a * abs(x)) / a, x)),
        ("asinh", lambda x, a: math.asinh(a * x) / a),
        ("leaky_relu", lambda x, a: x if x > 0 else a * x),
    ],
)
@pytest.mark.parametrize("raw", [-3.0, 0.0, 2.0])
def test_gates_are_their_formulas(name: str, formula, raw: float) -> None:
    gate = gate_of(name, raw)
    x = torch.linspace(-30, 30, 61, dtype=torch.float64)[:, None]
    expected = torch.tensor([[formula(float(t), float(gate.parameter()))] for t in x]).double()
    assert_close(gate(x)[0], expected, atol=1e-5, rtol=1e-6)


@every_gate
def test_gates_solve_the_equation_of_their_regulariser(name: str) -> None:
    # f' = exp(-gamma(f)), f(0) = 0, integrated numerically with gamma written out anew.
    gate = gate_of(name)
    a = float(gate.parameter())
    gamma = {
        "slog": lambda y: a * abs(y),
        "asinh": lambda y: math.log(math.cosh(a * y)),
        "leaky_relu": lambda y: -math.log(a) if y < 0 else 0.0,
    }[name]
    for end in (-20.0, 20.0):
        grid = np.linspace(0, end, 9)
        solution = solve_ivp(
            lambda _, f: [math.exp(-gamma(f[0]))], (0, end), [-1e-300 if end < 0 else 0.0],
            t_eval=grid, rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        found = gate(torch.from_numpy(grid)[:, None])[0][:, 0]
        assert_close(found, torch.from_numpy(solution.y[0]), atol=1e-6, rtol=1e-6)


@every_gate
@pytest.mark.parametrize("raw", [-10.0, 0.0, 10.0])
def test_float32_is_exact_over_the_range_of_images(name: str, raw: float) -> None:
    gate = gate_of(name, raw).float()
    x = torch.linspace(-20, 20, 4001)[:, None]  # logits of grey levels are within 7
    assert_close(gate.inverse(gate(x)[0])[0], x, atol=1e-5, rtol=2e-6)
    y = torch.linspace(-8, 8, 4001)[:, None]
    assert_close(gate(gate.inverse(y)[0])[0], y, atol=1e-5, rtol=2e-6)


@every_gate
@pytest.mark.parametrize("raw", [-10.0, 0.0, 10.0])
def test_extreme_inputs_stay_finite_and_come_back(name: str, raw: float) -> None:
    gate = gate_of(name, raw).float()
    sizes = torch.tensor([1e-40, 1e-30, 1e-10, 1e10, 1e30])
    x = torch.cat([-sizes, sizes])[:, None]
    y, log_det = gate(x)
    assert y.isfinite().all()
    assert log_det.isfinite().all()
    assert_close(gate.inverse(y)[0], x, rtol=1e-4, atol=1e-37)


@pytest.fixture(params=[False, True], ids=["denormals kept", "denormals flushed"])
def denormals(request):
    torch.set_flush_denormal(request.param)  # as training sets it
    yield
    torch.set_flush_denormal(False)


@every_gate
def test_the_slope_at_0_is_1_where_the_regulariser_is_0(name: str, denormals) -> None:
    gate, x = gate_of(name), torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    for direction in (gate.forward, gate.inverse):
        y, _ = direction(x)
        assert torch.autograd.grad(y.sum(), x)[0].item() == 1


@pytest.mark.parametrize("name", ["slog", "asinh"])
def test_alpha_starts_at_a_hundredth_and_vanishing_it_gives_the_identity(name: str) -> None:
    assert gate_of(name, 0.0).parameter().item() == pytest.approx(0.01)
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)[:, None]
    errors = [(with_alpha(name, a)(x)[0] - x).abs().max().item() for a in (0.1, 0.01, 0.001)]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 0.02


@pytest.mark.parametrize(
    ("gate", "low", "high"),
    [(SLogGate, 1e-4, 1), (AsinhGate, 1e-4, 1), (LeakyReLUGate, math.exp(-1), math.exp(1))],
)
def test_parameters_are_bounded_on_both_sides(gate, low: float, high: float) -> None:
    layer = gate(1).double()
    for raw, bound in ((-1e6, low), (1e6, high)):
        torch.nn.init.constant_(layer.raw, raw)
        assert layer.parameter().item() == pytest.approx(bound)


def test_a_leaky_relu_gate_starts_as_the_identity() -> None:
    x = torch.randn(5, 3)
    assert_close(LeakyReLUGate(3)(x)[0], x, rtol=0, atol=0)
