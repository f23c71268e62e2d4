import torch
from torch.testing import assert_close

from tests.test_flow import noise, tiny
from zoo.cards.gallery import DRAWS, NO_IMAGES, TEMPERATURE, gallery, resampling
from zoo.errors import NonFiniteError
from zoo.folder import make_golden


def test_the_pictures_are_the_same_for_the_same_weights() -> None:
    flow = tiny()
    golden = make_golden(flow, noise(4))
    (first, missing), (second, _) = gallery(flow, golden), gallery(flow, golden)
    assert missing == {}
    assert list(first) == [
        "samples.png",
        "reconstructions.png",
        "interpolation.png",
        "resampling.png",
    ]
    for name, grid in first.items():
        assert torch.equal(grid.images, second[name].images)
        assert len(grid.images) % grid.columns == 0


def test_between_patterns_and_noise_nothing_is_drawn() -> None:
    flow = tiny("conf", size=(8, 8))
    grids, missing = gallery(flow, make_golden(flow))
    assert set(grids) == {"samples.png", "reconstructions.png"}
    assert missing == dict.fromkeys(("interpolation.png", "resampling.png"), NO_IMAGES)


def test_what_is_not_finite_is_not_drawn(monkeypatch) -> None:
    flow = tiny()

    def overflow(*_: object, **__: object) -> None:
        raise NonFiniteError("64 of 64 images are not finite.")

    monkeypatch.setattr(flow, "sample", overflow)
    grids, missing = gallery(flow, make_golden(flow, noise(4)))
    assert set(grids) == {"reconstructions.png", "interpolation.png", "resampling.png"}
    assert missing == {"samples.png": "64 of 64 images are not finite."}


def test_a_reconstruction_is_the_image_and_its_difference_is_zero() -> None:
    flow = tiny()
    golden = make_golden(flow, noise(4))
    triples = gallery(flow, golden).grids["reconstructions.png"].images.unflatten(0, (-1, 3))
    assert torch.equal(triples[:, 0], golden.images)
    assert torch.equal(triples[:, 1], golden.images)
    assert not triples[:, 2].any()


def test_resampling_draws_one_level_after_the_other_and_keeps_the_rest(monkeypatch) -> None:
    flow, images = tiny(levels=3, size=(8, 16)), noise(25, size=(8, 16))
    z, decode, decoded = flow.encode(images), flow.decode, []
    monkeypatch.setattr(flow, "decode", lambda z: decoded.append(z) or decode(z))
    rows = resampling(flow, images, torch.Generator().manual_seed(0))
    assert torch.equal(rows.unflatten(0, (25, 1 + 3 * DRAWS))[:, 0], images)
    assert len(decoded) == 3 * DRAWS
    kept, drawn = [], []
    for i, latents in enumerate(decoded):
        pairs = list(zip(flow.levels(latents), flow.levels(z), strict=True))
        drawn.append(pairs.pop(i // DRAWS)[0])
        kept += pairs
    assert all(torch.equal(*pair) for pair in kept)
    spread = torch.cat([level.flatten() for level in drawn]).std()
    assert_close(spread, torch.tensor(TEMPERATURE), atol=0.02, rtol=0)
