"""Every image comes back, each in the precision that it takes."""

import math
import sys

import pytest
import torch
from torch import Tensor

from tests.test_flow import every_architecture, explode, noise, tiny
from zoo import Flow
from zoo.bijections import Bijection, CircularConv
from zoo.bijections.padded_conv import CornerConv
from zoo.exact import round_trip
from zoo.exact.amplification import amplification, worst_images
from zoo.exact.certificate import StabilityWarning
from zoo.exact.keepsake import keep_pixels, kept_pixels
from zoo.exact.patterns import hard_images, mosaics
from zoo.exact.round_trip import precision

pytestmark = pytest.mark.filterwarnings("ignore::zoo.exact.certificate.StabilityWarning")


def hopeless(seed: int = 0) -> Flow:
    """A flow that forgets every image, in float64 too."""
    return explode(tiny(gain_max=None, seed=seed), 50.0)


def count(z: Tensor) -> list[int]:
    return list(precision(z).values())


@every_architecture
def test_hostile_images_are_exact_in_float32_by_bounded_couplings(architecture: str) -> None:
    """Also with nets far larger than training leaves them."""
    flow = tiny(architecture)
    with torch.no_grad():
        for name, parameter in flow.named_parameters():
            if ".net" in name:
                parameter.mul_(2)
    for size in [(8, 12), (16, 24)]:
        images = hard_images(1, size)
        z = flow.encode(images)
        assert z.dtype == torch.float32
        assert torch.equal(flow.decode(z, size), images)


def test_what_float64_forgets_is_kept_in_the_latents() -> None:
    flow, images = hopeless(), noise(6)
    z = flow.encode(images)
    assert count(z) == [0, 0, 6]
    assert z.dtype == torch.float64
    assert z.isfinite().all()
    assert torch.equal(flow.decode(z), images)
    order = torch.tensor([3, 1])
    assert torch.equal(flow.decode(z[order]), images[order])
    # The numbers are still the latents, but for their last bits.
    plain = flow.at(torch.float64).encode_centres(images)
    assert ((z - plain).abs() <= 2.0**-35 * plain.abs()).all()


def test_kept_latents_survive_files_and_double_flows(tmp_path) -> None:
    flow, images = hopeless(), noise()
    torch.save(flow.encode(images), tmp_path / "z.pt")
    assert torch.equal(flow.decode(torch.load(tmp_path / "z.pt")), images)
    double = hopeless().double()
    z = double.encode(images)
    assert count(z) == [0, 0, 4]
    assert torch.equal(double.decode(z), images)


def test_ends_of_an_interpolation_are_exact_for_kept_images_too() -> None:
    flow, images = hopeless(), noise(2)
    flow.decode = lambda z, size=None: exactness_only(flow, z)  # what is between may be infinite
    path = flow.interpolate(images[:1], images[1:], steps=3)
    assert torch.equal(path[0, 0], images[0])
    assert torch.equal(path[0, -1], images[1])


def exactness_only(flow: Flow, z: Tensor) -> Tensor:
    """Decode the rows that keep their pixels; black stands for the others."""
    kept, pixels = kept_pixels(z)
    return (pixels * kept[:, None]).unflatten(1, (-1, *flow.config.size))


def test_each_image_gets_the_precision_that_it_takes(monkeypatch) -> None:
    """One bad image must not slow the good ones."""
    flow, images = tiny(), noise(8)
    measured, sizes = round_trip.round_trip_error, []

    def error(model: Flow, batch: Tensor, z: Tensor) -> Tensor:
        """Float32 is not enough for images 2 and 5, float64 not for 5."""
        sizes.append((model.dtype, len(batch)))
        bad = (images[5],) if model.dtype == torch.float64 else (images[2], images[5])
        hard = torch.stack([(batch == b).flatten(1).all(1) for b in bad]).any(0)
        return measured(model, batch, z) + hard

    monkeypatch.setattr(round_trip, "round_trip_error", error)
    z = flow.encode(images)
    assert sizes == [(torch.float32, 8), (torch.float64, 2)]
    assert count(z) == [6, 1, 1]
    assert torch.equal(flow.decode(z), images)
    assert count(z[[0, 5]]) == [1, 0, 1]
    # Those that float32 gives back are decoded in it, as they were verified.
    decoded = []
    monkeypatch.setattr(
        Flow,
        "inverse",
        lambda self, z, size=None, **_: decoded.append((self.dtype, len(z))) or _zeros(z),
    )
    flow.decode(z)
    assert decoded == [(torch.float32, 6), (torch.float64, 1)]


def _zeros(z: Tensor) -> tuple[Tensor, Tensor]:
    return z.new_zeros(len(z), 1, 8, 12), z.new_zeros(len(z)).double()


def test_a_keepsake_is_recognised_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(50, 64, dtype=torch.float64, generator=generator)
    z[0] = 0
    images = torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8, generator=generator)
    kept = keep_pixels(z, images)
    right, pixels = kept_pixels(kept)
    assert right.all()
    assert torch.equal(pixels.view_as(images), images)
    assert torch.equal(keep_pixels(kept, images), kept)
    for other in (z, z.float().double(), kept.float().double(), kept + 1e-9, -kept, 1.5 * kept):
        assert not kept_pixels(other)[0].any()
    # One number that moves breaks the row.
    for place in range(64):
        changed = kept.clone()
        changed[:, place] = kept[:, place - 1]
        assert not kept_pixels(changed)[0].all()


def test_the_checks_of_random_numbers_are_right_once_in_256() -> None:
    bits = torch.randint(-(2**62), 2**62, (500, 1000), generator=torch.Generator().manual_seed(1))
    single = bits.view(torch.float64).reshape(-1, 1)
    share = float(kept_pixels(single)[0].double().mean())
    assert share == pytest.approx(1 / 256, rel=0.1)


def test_amplification_predicts_what_float32_costs() -> None:
    flow = explode(tiny(gain_max=None), 1.0)
    images = noise(16)
    found = amplification(flow, images)
    z = flow.encode(images, exact=False)
    error = round_trip.round_trip_error(flow, images, z)
    assert (error < 1.2e-7 * found * 10).all()
    assert (error > 1.2e-7 * found / 1000).all()


def test_amplification_of_a_diagonal_flow_is_known() -> None:
    """Without couplings' nets, taps and mixing, a pixel moves with its own latent."""
    flow = tiny("glow", preprocessing="center", levels=1, steps=1, std=0.0)
    images = noise(4)
    z = flow.at(torch.float64).encode_centres(images)
    found = amplification(flow, images)
    largest = torch.randn(z.shape, generator=torch.Generator().manual_seed(0), dtype=z.dtype)
    inverse = flow.blocks[0].bijections[2].inverse_weights(torch.float64)[0].abs().sum(1).max()
    assert (found <= 256 * inverse * largest.abs().max() * z.abs().clamp_min(1).max()).all()
    assert (found > 0).all()


def test_gradient_ascent_finds_worse_images() -> None:
    flow, images = explode(tiny(gain_max=None), 0.5), noise(4)
    worse = worst_images(flow, images)
    assert worse.dtype == torch.uint8
    assert worse.shape == images.shape
    assert (amplification(flow, worse) > amplification(flow, images)).all()
    assert torch.equal(flow.decode(flow.encode(worse)), worse)


def test_a_certificate_names_couplings_and_measures_the_whole_flow() -> None:
    flow, images = tiny(), noise()
    certificate = flow.certify(images)
    names = [coupling.name for coupling in certificate.couplings]
    assert names == [n for n, layer in flow.named_bijections() if layer.limits() is not None]
    assert all(c.shift == 8 and c.scale == math.e for c in certificate.couplings)
    assert certificate.uncertified == ()
    assert certificate.amplification == float(amplification(flow, images).max())
    assert certificate.amplification_at_twice == float(amplification(flow, mosaics(images)).max())
    assert "scales within 2.72, shifts within 8" in certificate.table()


class Stranger(Bijection):
    """A bijection that says nothing of its stability."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flip(1), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return y.flip(1), y.new_zeros(len(y))


def test_a_flow_of_two_methods_encodes_and_says_what_is_not_certified() -> None:
    glow = tiny("glow", levels=1)
    stranger = Stranger()
    flow = Flow(glow.config, [type(glow.blocks[0])([glow.blocks[0].bijections[0], stranger])])
    flow.register_parameter("unused", torch.nn.Parameter(torch.zeros(1)))
    images = noise()
    assert torch.equal(flow.decode(flow.encode(images)), images)
    certificate = flow.eval().certify()
    assert certificate.uncertified == (stranger.name,)
    assert certificate.worst is None
    assert not certificate.proven_stable
    assert f"not certified: {stranger.name}" in certificate.table()


def test_a_kernel_longer_than_a_pixel_is_certified_on_maps_that_hold_it() -> None:
    glow = tiny("glow", levels=1)
    circular = CircularConv(4, kernel="taps")
    flow = Flow(glow.config, [type(glow.blocks[0])([glow.blocks[0].bijections[0], circular])])
    certificate = flow.eval().certify()
    assert [layer.name for layer in certificate.layers] == [circular.name]
    assert certificate.uncertified == ()


@pytest.mark.parametrize("lost", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_amplifies_without_end(lost: float, monkeypatch) -> None:
    module = sys.modules["zoo.exact.amplification"]
    monkeypatch.setattr(module, "_moved", lambda _, x: torch.full_like(x, lost))
    assert (amplification(tiny(), noise(2)) == math.inf).all()


def test_a_size_beyond_the_certificate_is_said_at_once() -> None:
    flow = explode(tiny(gain_max=None), 0.6)
    images = noise(size=(40, 40))
    with pytest.warns(StabilityWarning, match=r"40 x 40 are beyond .*FInCUnit.*gain_max"):
        z = flow.encode(images)
    assert torch.equal(flow.decode(z, (40, 40)), images)


def test_no_size_is_beyond_a_flow_whose_taps_are_bounded(recwarn) -> None:
    flow = tiny(gain_max=0.95)
    images = noise(size=(40, 40))
    z = flow.encode(images)
    assert z.dtype == torch.float32
    assert torch.equal(flow.decode(z, (40, 40)), images)
    assert not [w for w in recwarn if issubclass(w.category, StabilityWarning)]


def test_layers_proven_safe_are_not_measured_on_large_maps(monkeypatch) -> None:
    flow, measured = tiny(gain_max=0.5), []
    stability = CornerConv.stability
    monkeypatch.setattr(
        CornerConv, "stability", lambda self, size: measured.append(size) or stability(self, size)
    )
    assert flow.worst_condition((800, 1200)) < 8192
    assert measured == []
