"""One clear error for tensors elsewhere, and devices by name."""

import pytest
import torch

import zoo
from tests.folders import folder_of, read_golden
from tests.test_flow import noise, tiny
from zoo.data.loader import Images, loader
from zoo.devices import find_device, synchronize
from zoo.errors import ArgumentError, ImageError, LatentError
from zoo.training.sampler import training_loader

ELSEWHERE = "must be where the flow is, on cpu; got meta. Use .to"


def test_images_latents_and_noise_elsewhere_are_one_clear_error() -> None:
    flow, images = tiny(), noise()
    there, z = images.to("meta"), flow.encode(images).to("meta")
    for call in (
        lambda: flow.encode(there),
        lambda: flow.encode(there, exact=False),
        lambda: flow.log_prob(there),
        lambda: flow.interpolate(images, there),
        lambda: flow(there / 256),
    ):
        with pytest.raises(ImageError, match=f"images {ELSEWHERE}"):
            call()
    for call in (lambda: flow.decode(z), lambda: flow.inverse(z)):
        with pytest.raises(LatentError, match=f"latents {ELSEWHERE}"):
            call()
    with pytest.raises(ArgumentError, match=f"noise {ELSEWHERE}"):
        flow.log_prob(images, noise=torch.zeros(images.shape, device="meta"))


def test_a_device_that_is_not_there_is_one_clear_error() -> None:
    for name in ("cuda:99", "gpu", "mtia"):
        with pytest.raises(ArgumentError, match=f"device {name} is not usable here: .* Use cpu"):
            zoo.load("finc_mnist", device=name)


def test_auto_is_some_device_and_cpu_is_the_default() -> None:
    assert zoo.load("finc_mnist").device.type == "cpu"
    assert find_device("auto").type in ("cpu", "cuda")
    synchronize()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", zoo.list_models(pretrained=True))
def test_published_flows_are_the_same_on_a_gpu(name: str) -> None:
    golden, here = read_golden(folder_of(name)), zoo.load(name)
    flow = zoo.load(name, device="cuda")
    golden.check(flow)
    images = golden.images.cuda()
    z = flow.encode(images)
    assert torch.equal(here.decode(z.cpu()), golden.images)
    assert torch.equal(flow.decode(here.encode(golden.images).cuda()), images)
    drawn, expected = (
        f.sample(4, temperature=0.5, generator=torch.Generator().manual_seed(0))
        for f in (flow, here)
    )
    assert (drawn.cpu().int() - expected.int()).abs().max() <= 1


def test_the_command_says_which_device_is_missing(run, tmp_path) -> None:
    output = tmp_path / "samples.png"
    code, _, errors = run("sample", "finc_mnist", "--device", "cuda:99", "-o", output)
    assert code == 2
    assert errors.startswith("flowzoo: device cuda:99 is not usable here: ")
    code, _, _ = run("sample", "finc_mnist", "-n", "2", "--device", "cpu", "-o", output)
    assert code == 0
    assert output.exists()


def test_batches_are_pinned_where_there_is_a_gpu(monkeypatch) -> None:
    rows = Images(noise())
    assert loader(rows, 2).pin_memory == torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert loader(rows, 2).pin_memory
    assert training_loader(rows, 2).pin_memory
