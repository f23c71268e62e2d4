"""Refusals of a flow, and their words."""

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from tests.test_flow import explode, noise, tiny
from zoo.bijections.padded_conv import CornerConv
from zoo.errors import ArgumentError, ImageError, LatentError, NonFiniteError, NotInvertibleError
from zoo.exact.round_trip import worst_layer
from zoo.flow import Flow


@pytest.mark.parametrize(
    "use",
    [
        lambda flow: flow.encode(noise()),
        lambda flow: flow.log_prob(noise()),
        lambda flow: flow.sample(2),
    ],
    ids=["encode", "log_prob", "sample"],
)
@pytest.mark.parametrize("architecture", ["finc", "cinc"])
def test_weights_that_are_not_finite_are_named(architecture: str, use) -> None:
    flow = tiny(architecture)
    name, layer = next((n, m) for n, m in flow.named_bijections() if isinstance(m, CornerConv))
    with torch.no_grad():
        layer.taps[0, 0, 0, 3] = math.nan
    with pytest.raises(NonFiniteError, match=f"{name}.* holds NaN"):
        use(flow)


def test_an_overflow_names_the_layer_that_amplifies_most() -> None:
    flow = explode(tiny(gain_max=None), 1e30)
    with pytest.raises(NonFiniteError, match=r"blocks.0.bijections.1 \(FInCUnit\) amplifies most"):
        flow.sample(2)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (noise(), r"floats of shape \(B, 1, H, W\).*got uint8 \(4, 1, 8, 12\).*\(images \+ 0.5\)"),
        (torch.rand(2, 3, 8, 12), r"\(B, 1, H, W\).*got float32 \(2, 3, 8, 12\)"),
        (torch.rand(2, 1, 8, 10), "divisible by 4"),
        (torch.rand(1, 8, 12), r"got float32 \(1, 8, 12\)"),
        (255 * torch.rand(2, 1, 8, 12), r"in \[0, 1\]; got .* to 2\d\d"),
        (torch.full((1, 1, 8, 12), math.nan), r"in \[0, 1\]; got nan"),
    ],
    ids=["uint8", "channels", "size", "batch", "range", "nan"],
)
def test_forward_says_what_it_takes(x: Tensor, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        tiny()(x)


def test_infinite_latents_are_an_error_that_names_images_and_layer() -> None:
    flow, images = tiny(), noise()
    torch.nn.init.constant_(flow.blocks[0].bijections[2].bias, math.inf)
    with pytest.raises(NotInvertibleError, match=r"4 of 4 images .*at indices 0, 1, 2, 3.*worst"):
        flow.encode(images)
    assert flow.encode(images, exact=False).shape == (4, 96)


@pytest.mark.parametrize("net_actnorm", [False, True])
def test_the_worst_layer_is_found(net_actnorm: bool) -> None:
    flow = tiny(gain_max=None, net_actnorm=net_actnorm)
    layer = flow.blocks[1].bijections[1]
    torch.nn.init.constant_(layer.taps, 20.0)
    name, error = worst_layer(flow, noise())
    assert name == "blocks.1.bijections.1 (FInCUnit)"
    assert error > 1e-4


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(2, 1, 8, 8), r"got float32 \(2, 1, 8, 8\).*\(x \* 255\)"),
        (torch.zeros(1, 8, 8, dtype=torch.uint8), r"For one image: images\[None\]"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"\(B, 1, H, W\)"),
        (torch.zeros(1, 1, 9, 8, dtype=torch.uint8), "divisible by 4"),
        (torch.zeros(1, 1, 0, 8, dtype=torch.uint8), "divisible by 4"),
        (torch.zeros(0, 1, 8, 8, dtype=torch.uint8), r"got uint8 \(0, 1, 8, 8\)"),
        ([[0]], "got list"),
    ],
)
def test_bad_images_say_what_is_right(images, message: str) -> None:
    flow = tiny()
    methods = (flow.encode, flow.log_prob, flow.bits_per_dim, flow.score, flow.likelihood_map)
    for method in (*methods, lambda x: flow.edit(x, torch.zeros(96), 1.0), partial(resample, flow)):
        with pytest.raises(ImageError, match=message):
            method(images)


def resample(flow: Flow, images: Tensor) -> Tensor:
    return flow.resample(images, 0)


def test_no_images_are_refused_by_forward_too() -> None:
    with pytest.raises(ImageError, match=r"got float32 \(0, 1, 8, 12\)"):
        tiny()(torch.zeros(0, 1, 8, 12))


@pytest.mark.parametrize(
    ("z", "size", "message"),
    [
        (torch.zeros(2, 95), None, r"8 x 12 images are of shape \(B, 96\); got \(2, 95\).*size="),
        (torch.zeros(96), None, r"got \(96,\)"),
        (torch.zeros(0, 96), None, r"got \(0, 96\)"),
        (torch.zeros(2, 96), (4, 4), r"\(B, 16\)"),
        (torch.full((2, 96), math.nan), None, "NaN or infinity"),
        (torch.zeros(2, 96, dtype=torch.float16), None, "float32 or float64"),
        (torch.zeros(2, 96, dtype=torch.long), None, "float32 or float64"),
        ([0.0], None, "what encode made of a list"),
    ],
)
def test_bad_latents_say_what_is_right(z, size, message: str) -> None:
    with pytest.raises(LatentError, match=message):
        tiny().decode(z, size)


def test_bad_sizes_and_steps_say_what_is_right() -> None:
    flow = tiny()
    with pytest.raises(ImageError, match="divisible by 4"):
        flow.sample(1, size=(6, 8))
    with pytest.raises(ImageError, match="one shape"):
        flow.interpolate(noise(1), noise(2))
    with pytest.raises(ArgumentError, match="at least 2"):
        flow.interpolate(noise(1), noise(1), steps=1)
    with pytest.raises(ArgumentError, match="n_samples must be an integer of at least 1"):
        flow.log_prob(noise(1), n_samples=0)
    with pytest.raises(ArgumentError, match="n must be an integer of at least 1"):
        flow.sample(0)
    with pytest.raises(ArgumentError, match="n must be an integer"):
        flow.sample(2.5)
    with pytest.raises(ArgumentError, match="temperature must be 0 or more; got -1"):
        flow.sample(1, temperature=-1)
    with pytest.raises(ImageError, match=r"size must be \(H, W\)"):
        flow.decode(flow.encode(noise(1)), 8)
    with pytest.raises(ImageError, match=r"size must be \(H, W\)"):
        flow.inverse(flow.encode(noise(1)), 8)


@pytest.mark.parametrize(
    "wrong", [torch.zeros(1, 1, 4, 8), torch.full((1, 1, 8, 12), 1.0), torch.empty(0)]
)
def test_noise_that_does_not_fit_says_what_is_right(wrong: Tensor) -> None:
    with pytest.raises(ArgumentError, match=r"noise must be of the images' shape .* in \[0, 1\)"):
        tiny().log_prob(noise(1), noise=wrong)


def test_nothing_that_is_not_finite_is_hidden() -> None:
    flow = tiny()
    with torch.no_grad():
        flow.blocks[0].bijections[2].bias.fill_(math.nan)
    with pytest.raises(NonFiniteError, match="4 of 4 images"):
        flow.log_prob(noise())
    with pytest.raises(NonFiniteError, match="3 of 3 images"):
        flow.sample(3)
    with pytest.raises(NotInvertibleError):
        flow.encode(noise())


def test_infinity_behind_a_sigmoid_counts_as_not_finite() -> None:
    flow = tiny()
    z = torch.full((1, 96), 1e38)
    x, log_det = flow.inverse(z)
    assert not flow.finite(x, log_det).any()
    with pytest.raises(NonFiniteError, match="1 of 1 images are not finite"):
        flow.decode(z)
