"""TF32 does not reach a flow in evaluation; emulated, for it needs a GPU."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import zoo
from tests.folders import folder_of, read_golden
from tests.test_flow import every_architecture, noise, tiny
from zoo.exact.full_precision import _SETTINGS, full_precision

PRODUCTS = {"aten::mm": 0, "aten::bmm": 0, "aten::addmm": 1, "aten::baddbmm": 1}


class TF32(TorchDispatchMode):
    """Rounds what convolutions and products read to 10 bits, unless the settings forbid it."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        name = function._schema.name
        first = 0 if name == "aten::convolution" else PRODUCTS.get(name)
        backend = torch.backends.cudnn.conv if first == 0 else torch.backends.cuda.matmul
        if first is not None and backend.fp32_precision == "tf32":
            a, b = (rounded(x) for x in args[first : first + 2])
            args = (*args[:first], a, b, *args[first + 2 :])
        return function(*args, **(kwargs or {}))


def rounded(x: Tensor) -> Tensor:
    if x.dtype != torch.float32:
        return x
    bits = x.clone(memory_format=torch.preserve_format).view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


@pytest.fixture
def tf32() -> Iterator[None]:
    """TF32 wherever it can be had, as by default on a GPU; restored afterwards."""
    if not hasattr(torch.backends.cudnn, "conv"):
        pytest.skip("this torch has the older settings")
    saved = [getattr(owner, name) for owner, name, _ in _SETTINGS]
    for owner, name, _ in _SETTINGS[:2]:
        setattr(owner, name, "tf32")
    yield
    for (owner, name, _), value in zip(_SETTINGS, saved, strict=True):
        setattr(owner, name, value)


@every_architecture
def test_a_flow_computes_as_if_there_were_no_tf32(architecture: str, tf32) -> None:
    flow, images = tiny(architecture), noise()
    z, log_prob = flow.encode(images), flow.log_prob(images, noise=torch.full(images.shape, 0.5))
    sample = flow.sample(3, generator=torch.Generator().manual_seed(0))
    with TF32():
        assert torch.equal(flow.encode(images), z)
        assert torch.equal(flow.decode(z), images)
        assert torch.equal(flow.log_prob(images, noise=torch.full(images.shape, 0.5)), log_prob)
        assert torch.equal(flow.sample(3, generator=torch.Generator().manual_seed(0)), sample)
        assert not torch.equal(flow.train()(images / 256)[0], flow.eval()(images / 256)[0])


@pytest.mark.parametrize("name", zoo.list_models(pretrained=True))
def test_published_flows_encode_in_float32_where_tf32_is_the_default(name: str, tf32) -> None:
    flow, golden = zoo.load(name), read_golden(folder_of(name))
    images = golden.images[: golden.natural]
    with TF32():
        z = flow.encode(images)
        assert z.dtype == torch.float32
        assert torch.equal(flow.decode(z), images)


def test_settings_are_restored_also_after_errors_and_nested(tf32) -> None:
    def settings() -> list[object]:
        return [getattr(owner, name) for owner, name, _ in _SETTINGS]

    before = settings()
    with full_precision():
        with full_precision():
            assert settings() == [value for _, _, value in _SETTINGS]
        assert settings() == [value for _, _, value in _SETTINGS]
    assert settings() == before
    with pytest.raises(ZeroDivisionError), full_precision():
        1 / 0  # noqa: B018
    assert settings() == before
    assert torch.backends.cudnn.enabled


def test_one_thread_that_leaves_does_not_unguard_another(tf32) -> None:
    inside, leave, found = threading.Event(), threading.Event(), []

    def stay() -> None:
        with full_precision():
            inside.set()
            leave.wait(10)
            found.append(torch.backends.cudnn.conv.fp32_precision)

    thread = threading.Thread(target=stay)
    with full_precision():
        thread.start()
        inside.wait(10)
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    leave.set()
    thread.join()
    assert found == ["ieee"]
    assert torch.backends.cudnn.conv.fp32_precision == "tf32"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_forked_inside_the_lock_does_not_hang() -> None:
    from zoo.exact.full_precision import _guard

    with _guard.lock:
        child = os.fork()
        if child == 0:
            with full_precision():
                os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
