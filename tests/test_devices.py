"""Flows where they are, whatever torch's default device is, and on devices without float64."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

import zoo
from tests.test_flow import every_architecture, explode, noise, tiny
from zoo import Flow
from zoo.errors import ArgumentError, WeightsError
from zoo.flow import float64_host as wide

IMAGES = noise()
# Stands for mps, which a build of torch for Linux refuses to name.
THERE = torch.device("cuda", 0)


def results(flow: Flow, images: Tensor, noise: Tensor) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = flow.encode(images)
    return [
        z,
        flow.encode(images, exact=False),
        flow.decode(z),
        flow.sample(2, generator=generator),
        flow.interpolate(images[:2], images[2:], 3).flatten(0, 1),
        flow.log_prob(images, noise=noise).detach(),
        flow.log_prob(images, generator=generator).detach(),
        flow(noise)[0].detach(),
        flow.inverse(z)[0].detach(),
    ]


@every_architecture
def test_torch_s_default_device_is_of_no_account(architecture: str) -> None:
    noise = torch.rand(IMAGES.shape)
    expected = results(tiny(architecture), IMAGES, noise)
    flow = tiny(architecture)
    with torch.device("meta"):
        found = results(flow, IMAGES, noise)
        flow.certify()
        flow.train().log_prob(IMAGES).sum().backward()
    assert all(map(torch.equal, found, expected))


def test_weights_are_never_lost_on_the_meta_device() -> None:
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("error")
        with pytest.raises(WeightsError, match=r"Load outside of torch.device\('meta'\)"):
            zoo.load("finc_mnist")


# A device of one's own: tensors that claim to be there, compute on the CPU, and hold no float64.


class Elsewhere(Tensor):
    """A tensor on the device."""

    data_here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> "Elsewhere":
        if here.dtype == torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
        found = Tensor._make_wrapper_subclass(
            cls, here.shape, strides=here.stride(), dtype=here.dtype, device=THERE
        )
        found.data_here = here
        return found

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return compute(func, args, kwargs or {})


def compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = torch.utils._pytree.tree_leaves((args, kwargs))
    there = any(isinstance(x, Elsewhere) for x in tensors)
    if "device" in kwargs and kwargs["device"] is not None:
        there = torch.device(kwargs["device"]).type == THERE.type
        kwargs = {**kwargs, "device": "cpu"}
    args, kwargs = tree_map(
        lambda x: x.data_here if isinstance(x, Elsewhere) else x, (args, kwargs)
    )
    out = func(*args, **kwargs)
    return tree_map(lambda x: Elsewhere(x) if there and isinstance(x, Tensor) else x, out)


class Device(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return compute(func, args, kwargs or {})


@pytest.fixture
def device_without_float64(monkeypatch) -> Iterator[None]:
    torch._C._ensureCUDADeviceGuardSet()  # one that does nothing, if there is no such device
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(wide, "WITHOUT_FLOAT64", (THERE.type,))
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with Device():
        yield
    torch.__future__.set_overwrite_module_params_on_conversion(False)


def back(x: Tensor) -> Tensor:
    return x.data_here if isinstance(x, Elsewhere) else x


@every_architecture
def test_without_float64_everything_runs_on_the_cpu(device_without_float64, architecture) -> None:
    noise = torch.rand(IMAGES.shape)
    expected = results(tiny(architecture), IMAGES, noise)
    flow = tiny(architecture).to(THERE)
    assert flow.device == THERE
    with pytest.raises(TypeError, match="float64"):
        next(flow.parameters()).double()
    found = results(flow, IMAGES.to(THERE), noise.to(THERE))
    for wanted, x in zip(expected, found, strict=True):
        assert x.device.type == ("cpu" if x.dtype == torch.float64 else THERE.type)
        assert_close(back(x), wanted)  # images are equal; floats are rounded as without gradients


@pytest.mark.filterwarnings("ignore::zoo.exact.certificate.StabilityWarning")
def test_latents_in_float64_are_on_the_cpu(device_without_float64) -> None:
    flow = explode(tiny(gain_max=None), 5.0)
    expected = flow.encode(IMAGES)
    assert expected.dtype == torch.float64
    flow = flow.to(THERE)
    z = flow.encode(IMAGES.to(THERE))
    assert torch.equal(z, expected)
    images = flow.decode(z)
    assert images.device == THERE
    assert torch.equal(back(images), IMAGES)


def test_training_without_float64_is_refused(device_without_float64) -> None:
    flow = tiny().to(THERE).train()
    with pytest.raises(ArgumentError, match=r"Use flow.cpu\(\), or --trainer.accelerator cpu"):
        flow.log_prob(IMAGES.to(THERE))


def test_changed_weights_are_noticed_there_too(device_without_float64) -> None:
    here, flow = tiny(), tiny().to(THERE)
    former = back(flow.encode(IMAGES.to(THERE)))
    for p, q in zip(here.parameters(), tiny(seed=1).parameters(), strict=True):
        p.data.lerp_(q.data, 0.5)
    for p, q in zip(flow.parameters(), here.parameters(), strict=True):
        p.data.copy_(q.data.to(THERE))
    z = back(flow.encode(IMAGES.to(THERE)))
    assert torch.equal(z, here.encode(IMAGES))
    assert not torch.equal(z, former)
