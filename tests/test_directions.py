"""Directions of classes and attributes: what they are, their file, and whose they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

import zoo
import zoo.latents
from tests.folders import save_folder
from tests.test_flow import noise, tiny
from zoo import Directions
from zoo.errors import ArgumentError, LatentError
from zoo.latents import moments
from zoo.latents.shards import EncodedSet, ShardFolder

FLOW = tiny()
COUNT, LENGTH = 500, 96


def correlated(seed: int = 0) -> Tensor:
    """Latents (N, D) of which the second number goes along with the first."""
    z = torch.randn(COUNT, LENGTH, generator=torch.Generator().manual_seed(seed))
    z[:, 1] = 0.9 * z[:, 0] + 0.436 * z[:, 1]
    return z


def unit(place: int) -> Tensor:
    return F.one_hot(torch.tensor(place), LENGTH).float()


Z = correlated()
LABELS = ["a" if x > 0 else "b" for x in Z[:, 5].tolist()]


def test_the_paper_s_formula_is_a_transposed_z() -> None:
    values = 3 * Z[:, 0].double() + 7
    found = zoo.directions(Z, {"x": values}, method="paper", flow=FLOW)
    a = (values - values.mean()) / values.std(correction=0)
    assert_close(found["x"].vector.double(), F.normalize(a @ Z.double(), dim=0), atol=1e-6, rtol=0)


def test_for_a_class_the_formula_is_the_difference_of_means() -> None:
    found = zoo.directions(Z, LABELS, method="paper", flow=FLOW)
    inside = torch.tensor([label == "a" for label in LABELS])
    difference = Z[inside].mean(0) - Z[~inside].mean(0)
    assert found.names == ("a", "b")
    assert_close(found["a"].vector, F.normalize(difference, dim=0))
    assert_close(found["b"].vector, -found["a"].vector)


def test_least_squares_leaves_alone_what_merely_goes_along() -> None:
    cosines = {}
    for method in ("paper", "least_squares"):
        found = zoo.directions(Z, {"x": Z[:, 0]}, method=method, ridge=1e-6, flow=FLOW)
        cosines[method] = float(found["x"].vector @ unit(0))
    assert cosines["least_squares"] > 0.9999
    assert cosines["paper"] < 0.8


def test_least_squares_are_those_of_numpy() -> None:
    values = (Z[:, 3] - 2 * Z[:, 8]).exp()
    found = zoo.directions(Z, {"x": values}, ridge=0.0, flow=FLOW)
    centred = (Z - Z.mean(0)).double().numpy()
    wanted = np.linalg.lstsq(centred, (values - values.mean()).double().numpy(), rcond=None)[0]
    assert_close(found["x"].vector.numpy(), (wanted / np.linalg.norm(wanted)).astype("float32"))


@pytest.mark.parametrize("count", [2, 40, 95, 96])
@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_few_latents_have_the_directions_of_their_covariance(count: int, ridge: float) -> None:
    """Also those of fewer latents than numbers, which never make the covariance."""
    z, values = Z[:count], (Z[:count, 3] - 2 * Z[:count, 8]).exp()
    found = zoo.directions(z, {"x": values}, ridge=ridge, flow=FLOW)["x"].vector.numpy()
    centred = (z - z.mean(0)).double().numpy()
    spread = centred.T @ centred / count
    spread += ridge * np.diag(spread).mean() * np.eye(LENGTH)
    wanted = np.linalg.solve(spread, centred.T @ (values - values.mean()).double().numpy())
    assert_close(found, (wanted / np.linalg.norm(wanted)).astype("float32"), rtol=1e-4, atol=1e-6)


def test_a_direction_says_where_the_latents_lie_along_it() -> None:
    found = zoo.directions(Z, {"x": Z[:, 0]}, flow=FLOW)["x"]
    places = found.position(Z)
    assert_close(found.mean, float(places.mean()))
    assert_close(found.std, float(places.std(correction=0)))
    assert_close(found.correlation, float(np.corrcoef(places, Z[:, 0])[0, 1]))


def test_images_without_a_label_or_an_attribute_count_for_nothing() -> None:
    half = COUNT // 2
    wild = torch.cat([Z[:half], 50 * correlated(1)[half:]])
    some = [*LABELS[:half], *[None] * half]
    values = Z[:, 0].clone()
    values[half:] = torch.nan
    for of, known in ((some, LABELS[:half]), ({"a": values}, {"a": values[:half]})):
        found = zoo.directions(wild, of, method="paper", flow=FLOW)["a"]
        wanted = zoo.directions(Z[:half], known, method="paper", flow=FLOW)["a"]
        assert_close(found.vector, wanted.vector, atol=1e-6, rtol=0)


def test_labels_of_every_kind_have_names() -> None:
    numbers = torch.arange(COUNT) % 3
    for labels in (numbers, numbers.numpy(), numbers.tolist(), tuple(numbers.tolist())):
        found = zoo.directions(Z, labels, flow=FLOW)
        assert list(found) == ["0", "1", "2"]
        assert torch.equal(found[2].vector, found["2"].vector)


REFUSED = {
    "too few labels": (ArgumentError, "must be 500", lambda: zoo.directions(Z, [1], flow=FLOW)),
    "no labels": (ArgumentError, "got none", lambda: zoo.directions(Z, flow=FLOW)),
    "one class": (
        ArgumentError,
        "a is the same for all",
        lambda: zoo.directions(Z, ["a"] * COUNT, flow=FLOW),
    ),
    "an infinite attribute": (
        ArgumentError,
        "not finite",
        lambda: zoo.directions(Z, {"x": Z[:, 0] / 0}, flow=FLOW),
    ),
    "no flow": (ArgumentError, "with flow=", lambda: zoo.directions(Z, LABELS)),
    "no such method": (
        ArgumentError,
        "least_squares or paper",
        lambda: zoo.directions(Z, LABELS, method="magic", flow=FLOW),
    ),
    "another length": (
        LatentError,
        r"\(B, 96\)",
        lambda: zoo.directions(Z[:, 1:], LABELS, flow=FLOW),
    ),
    "NaN": (LatentError, "NaN", lambda: zoo.directions(Z * torch.nan, LABELS, flow=FLOW)),
    "fewer latents than numbers": (
        ArgumentError,
        "larger ridge",
        lambda: zoo.directions(Z[:50], LABELS[:50], ridge=0.0, flow=FLOW),
    ),
    "an unknown name": (
        ArgumentError,
        "no direction 'c'",
        lambda: zoo.directions(Z, LABELS, flow=FLOW)["c"],
    ),
}


@pytest.mark.parametrize(("error", "match", "use"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused(error, match, use) -> None:
    with pytest.raises(error, match=match):
        use()


def test_latents_too_long_for_covariances_are_refused_before_any_is_read(monkeypatch) -> None:
    monkeypatch.setattr("zoo.latents.find_directions.LONGEST", 95)
    with pytest.raises(ArgumentError, match='method="paper" takes any'):
        zoo.directions(Z, LABELS, flow=FLOW)
    assert len(zoo.directions(Z, LABELS, flow=FLOW, method="paper").names) == 2


# Whole data sets.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Shards of 7, 7, 7 and 4 images, one of them in float64, with labels."""
    source = f"local-dir:{tmp_path / 'model'}"
    sha256 = save_folder(FLOW, tmp_path / "model")
    encoded = EncodedSet(source, sha256, "noise", "test", 25, (1, 8, 12), "of the pixels", 7)
    shards = ShardFolder(tmp_path / "z", encoded, labels=[i % 2 for i in range(25)])
    for k, images in enumerate(noise(25).split(7)):
        shards.write(k, FLOW.at(torch.float64 if k == 1 else torch.float32).encode(images), {})
    shards.finish()
    return shards.folder


def test_shards_give_the_directions_of_all_their_latents(folder, monkeypatch) -> None:
    monkeypatch.setattr(moments, "BATCH", 4 * LENGTH)  # batches across shards
    data = zoo.latents.load(folder)
    for method in ("paper", "least_squares"):
        found = zoo.directions(data, method=method)
        whole = zoo.directions(data[:].double(), data.labels, method=method, flow=data.flow)
        assert found.names == ("0", "1")
        assert_close(found.vectors, whole.vectors, atol=1e-6, rtol=0)
        assert_close(found.std, whole.std)


def test_never_more_than_a_batch_is_read(folder, monkeypatch) -> None:
    monkeypatch.setattr(moments, "BATCH", 4 * LENGTH)
    data, read = zoo.latents.load(folder), []
    gather = data.gather
    monkeypatch.setattr(data, "gather", lambda rows: read.append(len(rows)) or gather(rows))
    zoo.directions(data)
    assert max(read) == 4


def test_directions_of_a_data_set_edit_its_flow_only(folder) -> None:
    data = zoo.latents.load(folder)
    found = zoo.directions(data)
    assert data.flow.edit(noise(2), found["1"], 1.0).shape == (2, 1, 8, 12)
    found.check_model(data.flow)
    for use in (found.check_model, lambda flow: flow.edit(noise(2), found["1"], 1.0)):
        with pytest.raises(LatentError, match="other weights"):
            use(tiny(seed=3))


# Files.


def test_a_file_holds_all_of_it(tmp_path: Path) -> None:
    found = zoo.directions(Z, LABELS, flow=FLOW)
    found.save(tmp_path / "d.safetensors")
    back = Directions.load(tmp_path / "d.safetensors")
    for key, value in vars(found).items():
        read = getattr(back, key)
        assert torch.equal(read, value) if isinstance(value, Tensor) else read == value
    back.check_model(FLOW)


def test_damaged_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.safetensors"
    zoo.directions(Z, LABELS, flow=FLOW).save(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    save_folder(FLOW, tmp_path / "model")
    for other in (path, tmp_path / "none", tmp_path / "model" / "model.safetensors"):
        with pytest.raises(LatentError, match="is not a file of directions"):
            Directions.load(other)
