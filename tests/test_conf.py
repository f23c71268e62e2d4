"""CONF in all its variants keeps the contract of every flow."""

import pytest
import torch

from benchmarks.conf_ablation import VARIANTS
from tests.test_flow import tiny
from zoo.architectures import ARCHITECTURES, build
from zoo.bijections import ConvolutionalCoupling
from zoo.data import load_images
from zoo.exact.patterns import hard_images


@pytest.mark.parametrize("variant", [*VARIANTS, "full", "taps"])
def test_every_variant_gives_images_back_bit_for_bit(variant: str) -> None:
    others = {"full": {"separable": False}, "taps": {"kernel": "taps", "kernel_length": 1}}
    flow = tiny("conf", **{**VARIANTS, **others}[variant])
    for size in [(8, 12), (4, 4)]:
        images = hard_images(1, size)
        z = flow.encode(images)
        assert z.dtype == torch.float32
        assert torch.equal(flow.decode(z, size), images)


def test_a_trained_flow_is_exact_in_float32_and_its_samples_are_finite() -> None:
    torch.manual_seed(0)
    changes = {"size": (8, 8), "steps": 2, "hidden_channels": 16}
    flow = build(ARCHITECTURES["conf"].preset("compact_mnist", **changes)).train()
    optimizer = torch.optim.Adam(flow.parameters(), lr=3e-3)
    images = load_images("digits", "", "train")
    losses = []
    for batch in images[torch.randperm(len(images))].split(100)[:15] * 3:
        optimizer.zero_grad()
        loss = flow.bits_per_dim(batch).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    flow.eval()
    for tested in (load_images("digits", "", "test"), hard_images(1, (8, 8))):
        z = flow.encode(tested)
        assert z.dtype == torch.float32
        assert torch.equal(flow.decode(z), tested)
    with torch.no_grad():
        assert flow.finite(*flow.inverse(torch.randn(500, 64))).all()


def test_taps_that_are_singular_in_float32_only_are_encoded_in_float64() -> None:
    shape = {"steps": 1, "levels": 1, "size": [8, 8], "hidden_channels": 4}
    taps = {"kernel": "taps", "kernel_length": 2, "gate": "none"}
    flow = build(ARCHITECTURES["conf"].preset("compact_mnist", **shape, **taps)).eval()
    coupling = next(m for m in flow.modules() if isinstance(m, ConvolutionalCoupling))
    with torch.no_grad():
        biases = coupling.net.kernels.bias.view(2, -1)
        biases.zero_()
        biases[:, 1] = 0.5 - 3e-8
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    z = flow.encode(images)
    assert z.dtype == torch.float64
    assert torch.equal(flow.decode(z), images)
