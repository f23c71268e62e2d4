"""Whatever a method is given is either taken as one would expect, or one error of zoo.errors."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

import zoo
from tests.test_flow import noise, tiny
from zoo import Flow
from zoo.errors import ArgumentError, ImageError, LatentError

IMAGES = noise()
HALF = np.zeros(IMAGES.shape)


@pytest.fixture(scope="module")
def flow() -> Flow:
    return tiny()


@pytest.fixture(scope="module")
def z(flow: Flow) -> Tensor:
    return flow.encode(IMAGES)


WRONG: dict[str, tuple[type[Exception], str, Callable[[Flow, Tensor], object]]] = {
    "noise of NumPy": (ArgumentError, "noise must be", lambda f, z: f.log_prob(IMAGES, noise=HALF)),
    "noise of 1": (ArgumentError, r"in \[0, 1\)", lambda f, z: f.log_prob(IMAGES, noise=1.0)),
    "noise of text": (ArgumentError, "noise must be", lambda f, z: f.log_prob(IMAGES, noise="0")),
    "noise elsewhere": (
        ArgumentError,
        "noise must be where the flow is, on cpu; got meta",
        lambda f, z: f.log_prob(IMAGES, noise=torch.zeros(IMAGES.shape, device="meta")),
    ),
    "text as temperature": (
        ArgumentError,
        "temperature must be one number or 2; got '0.8'",
        lambda f, z: f.sample(2, temperature="0.8"),
    ),
    "no temperature": (ArgumentError, "temperature", lambda f, z: f.sample(2, temperature=None)),
    "three temperatures": (
        ArgumentError,
        "one number or 2",
        lambda f, z: f.sample(2, temperature=[1, 1, 1]),
    ),
    "a negative temperature": (
        ArgumentError,
        "0 or more",
        lambda f, z: f.sample(2, temperature=torch.tensor([1, -1])),
    ),
    "NaN as temperature": (
        ArgumentError,
        "0 or more",
        lambda f, z: f.sample(2, temperature=torch.nan),
    ),
    "True images": (ArgumentError, "n must be an integer", lambda f, z: f.sample(True)),
    "images as text": (ArgumentError, "got '2'", lambda f, z: f.sample("2")),
    "True draws": (
        ArgumentError,
        "n_samples must",
        lambda f, z: f.log_prob(IMAGES, n_samples=True),
    ),
    "more than there are": (ArgumentError, "n must", lambda f, z: f.sample(10**18)),
    "a number as device": (
        ArgumentError,
        "device 3.5 is not usable",
        lambda f, z: zoo.load("finc_mnist", device=3.5),
    ),
    "True steps": (ArgumentError, "steps", lambda f, z: f.interpolate(IMAGES, IMAGES, True)),
    "a seed as generator": (
        ArgumentError,
        r"must be a torch.Generator; got 0. For a seed: torch.Generator\(\).manual_seed",
        lambda f, z: f.sample(2, generator=0),
    ),
    "a seed for noise": (ArgumentError, "Generator", lambda f, z: f.log_prob(IMAGES, generator=0)),
    "a NumPy image": (ImageError, "torch.from_numpy", lambda f, z: f.encode(IMAGES.numpy())),
    "a NumPy image scored": (ImageError, "NumPy", lambda f, z: f.log_prob(IMAGES.numpy())),
    "a NumPy image certified": (ImageError, "NumPy", lambda f, z: f.certify(IMAGES.numpy())),
    "NumPy floats": (ImageError, "got ndarray", lambda f, z: f(HALF)),
    "NumPy latents": (LatentError, "got ndarray", lambda f, z: f.decode(z.numpy())),
    "NumPy latents by inverse": (LatentError, "got ndarray", lambda f, z: f.inverse(z.numpy())),
    "NumPy latents by levels": (LatentError, "got ndarray", lambda f, z: f.levels(z.numpy())),
    "integers as latents": (LatentError, "float32", lambda f, z: f.inverse(z.long())),
    "float64 latents": (LatentError, "got torch.float64", lambda f, z: f.inverse(z.double())),
    "float64 images": (ImageError, "got float64", lambda f, z: f(IMAGES.double() / 256)),
    "float16 images": (ImageError, "got float16", lambda f, z: f(IMAGES.half() / 256)),
    "images elsewhere": (ImageError, "on cpu; got meta", lambda f, z: f.encode(IMAGES.to("meta"))),
    "scores elsewhere": (
        ImageError,
        "on cpu; got meta",
        lambda f, z: f.log_prob(IMAGES.to("meta")),
    ),
    "ends elsewhere": (
        ImageError,
        "on cpu; got meta",
        lambda f, z: f.interpolate(IMAGES, IMAGES.to("meta")),
    ),
    "floats elsewhere": (
        ImageError,
        "on cpu; got meta",
        lambda f, z: f(torch.zeros(IMAGES.shape, device="meta")),
    ),
    "latents elsewhere": (LatentError, "on cpu; got meta", lambda f, z: f.decode(z.to("meta"))),
    "inverse elsewhere": (LatentError, "on cpu; got meta", lambda f, z: f.inverse(z.to("meta"))),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_refused_says_why(flow: Flow, z: Tensor, case: str) -> None:
    error, message, call = WRONG[case]
    with pytest.raises(error, match=message):
        call(flow, z)


def test_noise_of_any_float_type_and_one_number(flow: Flow) -> None:
    expected = flow.log_prob(IMAGES, noise=torch.full(IMAGES.shape, 0.25))
    assert torch.equal(flow.log_prob(IMAGES, noise=0.25), expected)
    double = torch.full(IMAGES.shape, 0.25, dtype=torch.float64)
    assert torch.equal(flow.log_prob(IMAGES, noise=double), expected)
    assert flow.log_prob(IMAGES, noise=0).isfinite().all()


def test_a_temperature_for_each_sample(flow: Flow) -> None:
    def draw(temperature: object) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        return flow.sample(3, temperature=temperature, generator=generator)

    each = draw(torch.tensor([0.0, 0.5, 1.0]))
    for i, temperature in enumerate((0.0, 0.5, 1.0)):
        assert torch.equal(each[i], draw(temperature)[i])
    assert torch.equal(draw([0.0, 0.5, 1.0]), each)
    assert torch.equal(draw(np.float32(0.5)), draw(0.5))
