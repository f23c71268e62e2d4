import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from tests.bijections.cases import shake
from tests.bijections.test_bijections import flat_jacobian
from zoo import Flow
from zoo.architectures import ARCHITECTURES, build
from zoo.bijections.padded_conv import CornerConv
from zoo.exact.certificate import StabilityWarning
from zoo.exact.patterns import hard_images

TINY = {"size": (8, 12), "steps": 2, "hidden_channels": 8}


def tiny(architecture: str = "finc", seed: int = 0, std: float = 0.05, **overrides) -> Flow:
    """A small flow whose parameters are all off their starts."""
    torch.manual_seed(seed)
    preset = ARCHITECTURES[architecture].preset("compact_mnist", **{**TINY, **overrides})
    flow = build(preset)
    shake(flow, std)
    return flow.eval()


def explode(flow: Flow, factor: float) -> Flow:
    """Give one convolution taps so large that its inverse amplifies errors enormously."""
    layer = next(m for m in flow.modules() if isinstance(m, CornerConv))
    torch.nn.init.constant_(layer.taps, factor)
    return flow


def noise(n: int = 4, channels: int = 1, size: tuple[int, int] = (8, 12)) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (n, channels, *size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@every_architecture
@pytest.mark.parametrize("overrides", [{}, {"channels": 3}, {"preprocessing": "center"}], ids=str)
def test_every_image_comes_back_bit_for_bit(architecture: str, overrides: dict) -> None:
    flow = tiny(architecture, **overrides)
    for size in [(8, 12), (4, 4), (20, 8)]:
        images = hard_images(flow.config.channels, size)
        z = flow.encode(images)
        assert z.shape == (len(images), images[0].numel())
        assert z.dtype == torch.float32
        assert torch.equal(flow.decode(z, size), images)
        # One by one, the sums inside are taken in another order.
        back = torch.cat([flow.decode(part, size) for part in z.split(1)])
        assert torch.equal(back, images)


@every_architecture
def test_log_det_of_the_whole_flow_is_the_jacobian_s(architecture: str) -> None:
    flow = tiny(architecture, size=(4, 4)).double()
    x = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    jacobian = flat_jacobian(lambda t: flow(t)[0], x)
    z, log_det = flow(x)
    assert_close(log_det, torch.linalg.slogdet(jacobian).logabsdet, atol=1e-9, rtol=0)
    back, inverse_log_det = flow.inverse(z, (4, 4))
    assert_close(back, x, atol=1e-12, rtol=0)
    assert_close(inverse_log_det, -log_det)


def test_log_prob_is_the_change_of_variables() -> None:
    flow, images = tiny().double(), noise()
    log_prob = flow.log_prob(images, generator=torch.Generator().manual_seed(3))
    u = torch.rand(images.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    z, log_det = flow((images + u) / 256)
    normal = torch.distributions.MultivariateNormal(
        torch.zeros(96).double(), torch.eye(96).double()
    )
    assert_close(log_prob, normal.log_prob(z) + log_det - 96 * math.log(256), rtol=1e-4, atol=0)
    bits = flow.bits_per_dim(images, generator=torch.Generator().manual_seed(3))
    assert_close(bits, -log_prob / (96 * math.log(2)))
    assert log_prob.dtype == torch.float64


def test_probabilities_of_all_images_sum_to_one() -> None:
    # A flow of 2 x 2 images, summed over the cells of a coarse grid that covers [0, 1]^4.
    flow = tiny("glow", size=(2, 2), levels=1, hidden_channels=4).double()
    n = 24
    ticks = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    # The logit makes the density integrable but peaked at the walls: integrate over z instead.
    ticks = torch.special.ndtri(ticks)
    x = torch.cartesian_prod(*[torch.sigmoid(1.5 * ticks)] * 4).view(-1, 1, 2, 2)
    weights = _cell_weights(1.5 * ticks)
    z, log_det = flow(x)
    density = (-0.5 * (z.square() + math.log(2 * math.pi))).sum(1) + log_det
    volume = torch.cartesian_prod(*[weights] * 4).prod(1)
    assert float((density.exp() * volume).sum()) == pytest.approx(1, abs=0.05)


def _cell_weights(y: Tensor) -> Tensor:
    """Width of each cell in x = sigmoid(y), between the midpoints of the ticks."""
    edges = torch.cat([y.new_tensor([-40.0]), (y[1:] + y[:-1]) / 2, y.new_tensor([40.0])])
    return torch.sigmoid(edges).diff()


def test_the_weighted_bound_is_tighter_with_more_draws() -> None:
    flow, images = tiny(), noise(64)
    bounds = [
        flow.log_prob(images, n_samples=k, generator=torch.Generator().manual_seed(0)).mean()
        for k in (1, 4, 16)
    ]
    assert bounds[0] < bounds[1] < bounds[2]


def test_n_samples_averages_densities_not_logarithms() -> None:
    flow, images = tiny(), noise(3)
    generator = torch.Generator().manual_seed(5)
    draws = torch.stack([flow.log_prob(images, generator=generator) for _ in range(4)])
    weighted = flow.log_prob(images, n_samples=4, generator=torch.Generator().manual_seed(5))
    assert_close(weighted, draws.exp().mean(0).log(), rtol=1e-9, atol=1e-6)


@every_architecture
def test_samples_are_finite_images_and_repeatable(architecture: str) -> None:
    flow = tiny(architecture)
    first = flow.sample(5, generator=torch.Generator().manual_seed(0))
    again = flow.sample(5, generator=torch.Generator().manual_seed(0))
    assert first.shape == (5, 1, 8, 12)
    assert first.dtype == torch.uint8
    assert torch.equal(first, again)
    assert flow.sample(2, size=(4, 16)).shape == (2, 1, 4, 16)
    cold = flow.sample(3, temperature=0)
    assert torch.equal(cold[0], cold[2])


def test_an_encoded_sample_is_the_sample() -> None:
    flow = tiny()
    images = flow.sample(8)
    assert torch.equal(flow.decode(flow.encode(images)), images)


def test_latents_are_standard_normal_under_the_model() -> None:
    # x drawn from the model must encode to its latents: z -> x -> z, in floats.
    flow = tiny().double()
    z = torch.randn(6, 96, dtype=torch.float64)
    x, _ = flow.inverse(z)
    assert_close(flow(x)[0], z, atol=1e-9, rtol=0)


def test_interpolation_keeps_its_ends() -> None:
    flow, images = tiny(), noise(6)
    path = flow.interpolate(images[:3], images[3:], steps=5)
    assert path.shape == (3, 5, 1, 8, 12)
    assert torch.equal(path[:, 0], images[:3])
    assert torch.equal(path[:, -1], images[3:])
    same = flow.interpolate(images[:1], images[:1], steps=3)
    assert torch.equal(same[0], images[:1].expand(3, -1, -1, -1))
    opposite = flow.decode(-flow.encode(images[:1]))
    assert torch.equal(flow.interpolate(images[:1], opposite, steps=2)[0, 0], images[0])


@settings(max_examples=15, deadline=None)
@given(levels=st.integers(1, 3), h=st.integers(1, 3), w=st.integers(1, 3), c=st.integers(1, 3))
def test_levels_are_views_that_flatten_back(levels: int, h: int, w: int, c: int) -> None:
    size = (h * 2**levels, w * 2**levels)
    flow = tiny("glow", levels=levels, size=size, channels=c, steps=1, hidden_channels=2)
    z = torch.randn(2, c * size[0] * size[1])
    parts = flow.levels(z)
    assert [tuple(part.shape[1:]) for part in parts] == flow.level_shapes()
    assert all(part.data_ptr() >= z.data_ptr() and part._base is z for part in parts)
    assert torch.equal(flow.flatten(parts), z)
    assert parts[-1].shape[2:] == (h, w)


def test_float64_takes_over_where_float32_falls_short(monkeypatch) -> None:
    flow, images = explode(tiny(gain_max=None), 5.0), noise()
    monkeypatch.setattr(Flow, "worst_condition", lambda *_: 1.0)
    z = flow.encode(images)
    assert z.dtype == torch.float64
    assert torch.equal(flow.decode(z), images)
    assert flow.dtype == torch.float32


def test_float32_is_not_tried_where_the_certificate_rules_it_out() -> None:
    flow, images = explode(tiny(gain_max=None), 5.0), noise()
    dtypes = []
    for level in (flow.blocks[0], flow.at(torch.float64).blocks[0]):
        level.register_forward_pre_hook(lambda _, inputs: dtypes.append(inputs[0].dtype))
    with pytest.warns(StabilityWarning, match=r"blocks.0.bijections.1 \(FInCUnit\) amplifies"):
        flow.encode(images)
    assert dtypes == [torch.float64]


def test_changed_weights_change_the_float64_copy() -> None:
    flow, images = explode(tiny(gain_max=None), 5.0), noise()
    z = flow.encode(images)
    with torch.no_grad():
        next(flow.parameters()).mul_(0.9)
    again = flow.encode(images)
    assert not torch.equal(z, again)
    assert torch.equal(flow.decode(again), images)


def test_the_float64_copy_is_not_kept_in_training() -> None:
    flow, images = explode(tiny(gain_max=None), 5.0).train(), noise()
    with torch.no_grad():
        for parameter in flow.blocks[1].parameters():
            z = flow.encode(images)
            parameter.data.mul_(0.9)  # unseen by version counters
            assert torch.equal(flow.decode(flow.encode(images)), images)
    assert not torch.equal(flow.encode(images), z)


def test_certificate_reports_gain_and_round_trip() -> None:
    certificate = tiny().certify()
    assert [layer.kind for layer in certificate.layers] == ["FInCUnit", "Conv1x1"] * 4
    assert certificate.round_trip < 0.5
    assert certificate.worst.gain == max(layer.gain for layer in certificate.layers)
    assert certificate.worst.name in certificate.table()
    assert "round trip in float32" in certificate.table()
    assert not any(layer.unsafe for layer in certificate.layers)


def test_certificate_of_an_unstable_flow_warns() -> None:
    with pytest.warns(StabilityWarning, match="float32 may not give images back"):
        certificate = explode(tiny(gain_max=None), 50.0).certify()
    assert certificate.round_trip > 0.5
    assert not certificate.proven_stable
    assert "unsafe in float32" in certificate.table()


def test_bounded_taps_are_proven_stable_at_any_size() -> None:
    flow = tiny("finc", gain_max=0.9, std=5.0)
    assert flow.certify().proven_stable
    largest = max(layer.g for layer in flow.certify().layers if layer.g is not None)
    assert 0.5 < largest < 0.9


def test_gains_are_those_of_the_layers_at_the_size_of_the_images() -> None:
    flow, large = tiny(), torch.zeros(1, 1, 32, 16, dtype=torch.uint8)
    layers = dict(flow.named_bijections())
    for certificate in flow.certify(large).layers:
        maps = (16, 8) if certificate.name.startswith("blocks.0") else (8, 4)
        assert certificate.size == maps
        assert certificate.gain == layers[certificate.name].stability(maps).gain


def test_both_halves_of_an_emerging_convolution_are_certified() -> None:
    layers = tiny("emerging").certify().layers
    kinds = [layer.kind for layer in layers if layer.name.startswith("blocks.0")]
    assert kinds[:3] == ["Conv1x1", "PaddedConv2d", "PaddedConv2d"]


def test_scores_of_a_flow_in_evaluation_keep_no_graph() -> None:
    flow, images = tiny(), noise()
    scores = flow.bits_per_dim(images)
    assert not scores.requires_grad
    assert scores.numpy().shape == (4,)
    u = torch.rand(images.shape, requires_grad=True)
    flow.log_prob(images, noise=u).sum().backward()
    assert u.grad.abs().sum() > 0
    with torch.no_grad():
        assert not flow.train().log_prob(images).requires_grad
    assert flow.log_prob(images).requires_grad


def test_gradients_reach_every_parameter_of_a_flow() -> None:
    flow = tiny().train()
    flow.bits_per_dim(noise(16)).mean().backward()
    unreached = [n for n, p in flow.named_parameters() if p.numel() and not p.grad.any()]
    assert unreached == []


def test_pickle_and_deepcopy_encode_alike() -> None:
    flow, images = tiny(), noise()
    z = flow.encode(images)
    for other in (copy.deepcopy(flow), pickle.loads(pickle.dumps(flow))):
        assert torch.equal(other.encode(images), z)


def test_autocast_does_not_touch_a_flow() -> None:
    flow, images = tiny(), noise()
    z = flow.encode(images)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(flow.encode(images), z)
        assert torch.equal(flow.decode(z), images)


def test_any_number_of_threads_decodes_the_same_images() -> None:
    flow, images = tiny(), noise(16)
    z, threads = flow.encode(images), torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            assert torch.equal(flow.decode(z), images)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_flow_of_half_precision_encodes_in_a_type_that_decodes(dtype: torch.dtype) -> None:
    flow, images = tiny().to(dtype), noise()
    for exact in (True, False):
        z = flow.encode(images, exact=exact)
        assert z.dtype in (torch.float32, torch.float64)
        assert torch.equal(flow.decode(z, (8, 12)), images)
