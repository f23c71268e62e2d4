import pytest
import torch
from torch import nn
from torch.testing import assert_close

from tests.bijections.cases import FACTORS, shake
from zoo.errors import ArgumentError, ConfigError, NonFiniteError
from zoo.tabular.vector_flow import ConfTabularConfig, VectorFlow, conf_tabular


def tiny(**changes) -> VectorFlow:
    torch.manual_seed(0)
    flow = conf_tabular(ConfTabularConfig(**{"features": 5, "steps": 3, **changes}))
    shake(flow, 0.05)
    return flow.double().eval()


def parameters(flow: nn.Module) -> int:
    return sum(parameter.numel() for parameter in flow.parameters())


@pytest.mark.parametrize("name", FACTORS)
def test_log_prob_is_the_change_of_variables(name: str) -> None:
    # Two taps fit a changed half of two features.
    flow = tiny(**vars(FACTORS[name]))
    x = torch.randn(4, 5, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda t: flow(t)[0].sum(0), x).transpose(0, 1)
    z, _ = flow(x)
    normal = torch.distributions.Normal(0, 1).log_prob(z).sum(1)
    expected = normal + torch.linalg.slogdet(jacobian).logabsdet
    assert_close(flow.log_prob(x), expected, atol=1e-9, rtol=0)
    assert_close(flow.inverse(z)[0], x, atol=1e-11, rtol=0)


def test_densities_integrate_to_one() -> None:
    flow = tiny(features=2)
    ticks = torch.linspace(-10, 10, 201, dtype=torch.float64)
    with torch.no_grad():
        density = flow.log_prob(torch.cartesian_prod(ticks, ticks)).exp()
    assert float(density.sum()) * float(ticks[1] - ticks[0]) ** 2 == pytest.approx(1, abs=1e-3)


def test_samples_are_repeatable() -> None:
    flow = tiny()
    a, b = (flow.sample(7, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    assert a.shape == (7, 5)
    assert torch.equal(a, b)


def test_realnvp_is_a_special_case_of_equal_size() -> None:
    conf = conf_tabular(ConfTabularConfig(features=63, steps=6, hidden_features=48))
    factors = {"convolution": "none", "gate": "none"}
    realnvp = conf_tabular(ConfTabularConfig(features=63, steps=6, hidden_features=49, **factors))
    assert parameters(conf) == pytest.approx(parameters(realnvp), rel=0.01)


def test_bad_vectors_and_sizes_say_what_is_right() -> None:
    flow = tiny()
    for x in (torch.zeros(3, 4), torch.zeros(5), torch.zeros(3, 5, dtype=torch.long)):
        with pytest.raises(ArgumentError, match=r"vectors must be floating-point \(B, 5\); got"):
            flow.log_prob(x)
    with pytest.raises(NonFiniteError, match="Standardise the columns"):
        flow.log_prob(torch.full((2, 5), float("nan"), dtype=torch.float64))
    with pytest.raises(ConfigError, match="features must be an integer of at least 2; got 1"):
        ConfTabularConfig(features=1)
    with pytest.raises(ConfigError, match="steps must be an integer of at least 1; got True"):
        ConfTabularConfig(features=3, steps=True)
