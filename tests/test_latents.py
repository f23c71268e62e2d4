"""The shards of an encoded data set, read back."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import zoo.latents
from tests.folders import save_folder
from tests.test_flow import noise, tiny
from zoo import Flow
from zoo.errors import LatentError
from zoo.files import write_json
from zoo.latents.shards import INDEX, EncodedSet, ShardFolder, file_name

IMAGES = noise(25)


@pytest.fixture
def encoded(tmp_path: Path) -> EncodedSet:
    sha256 = save_folder(tiny(), tmp_path / "model")
    source = f"local-dir:{tmp_path / 'model'}"
    return EncodedSet(source, sha256, "noise", "test", 25, (1, 8, 12), "of the pixels", 10)


@pytest.fixture
def latents() -> list[Tensor]:
    """Latents of three shards, the second in float64."""
    flow = tiny()
    z = [flow.encode(images) for images in IMAGES.split(10)]
    return [z[0], flow.at(torch.float64).encode(IMAGES[10:20]), z[2]]


@pytest.fixture
def folder(tmp_path: Path, encoded: EncodedSet, latents: list[Tensor]) -> Path:
    shards = ShardFolder(tmp_path / "z", encoded)
    for k in (2, 0, 1):
        shards.write(k, latents[k], {"flowzoo": f"{k}"})
    shards.finish()
    return shards.folder


def test_every_image_decodes_bit_for_bit_in_any_order(folder) -> None:
    data = zoo.latents.load(folder)
    order = torch.randperm(25, generator=torch.Generator().manual_seed(0)).tolist()
    assert torch.equal(data.decode(order), IMAGES[order])
    for last in (-1, np.int64(24), torch.tensor(24)):
        assert torch.equal(data.decode(last), IMAGES[24])


INDICES = [
    slice(5),
    slice(20, 3, -4),
    slice(0),
    [1, 12, -1],
    [],
    [True] + [False] * 23 + [True],
    np.array([3, 24]),
    torch.tensor([11, 2]),
    torch.arange(25) % 7 == 1,
    range(4, 9),
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_latents_are_indexed_as_arrays_are(folder, latents, index) -> None:
    data, z = zoo.latents.load(folder), torch.cat([z.double() for z in latents])
    rows = torch.arange(25).numpy()[index if len(np.atleast_1d(index)) else []].tolist()
    assert torch.equal(data[index], z[rows])
    assert torch.equal(data.decode(index), IMAGES[rows])


@pytest.mark.parametrize(
    "index",
    [1.7, [0.5], "1", None, [[1, 2]], [[1], [2, 3]], [25], torch.tensor(-26), 10**30, {1}],
    ids=str,
)
def test_what_is_no_index_raises_index_error(folder, index) -> None:
    data = zoo.latents.load(folder)
    for use in (data.__getitem__, data.decode):
        with pytest.raises(zoo.errors.LatentIndexError, match="latents"):
            use(index)


def test_latents_are_those_written_in_the_widest_dtype(folder, latents) -> None:
    data = zoo.latents.load(str(folder))
    wanted = torch.cat([z.double() for z in latents])
    assert len(data) == 25
    assert torch.equal(torch.stack([data[i] for i in range(25)]), wanted)
    with pytest.raises(IndexError, match="there are 25 latents"):
        data[25]


def test_latents_decode_in_the_precision_that_they_were_verified_in(
    tmp_path, encoded, latents, monkeypatch
) -> None:
    shards = ShardFolder(tmp_path / "z", encoded)
    mixed = torch.cat([latents[1][:4], latents[1][4:].float()])  # one type holds both
    for k, z in enumerate((latents[0], mixed, latents[2])):
        shards.write(k, z, {})
    index = shards.finish()
    assert [shard["float64"] for shard in index["shards"]] == [[], [[10, 14]], []]
    data, seen = zoo.latents.load(shards.folder), []
    inverse = Flow.inverse
    monkeypatch.setattr(
        Flow,
        "inverse",
        lambda flow, z, *rest, **how: (seen.append(z), inverse(flow, z, *rest, **how))[1],
    )
    assert torch.equal(data.decode([24, 11, 3, 15]), IMAGES[[24, 11, 3, 15]])
    assert torch.equal(seen[0], torch.stack([latents[2][4], latents[0][3], latents[1][5].float()]))
    assert torch.equal(seen[1], latents[1][1:2])


def test_ranges_of_float64_are_of_single_images(tmp_path, encoded, latents) -> None:
    shards = ShardFolder(tmp_path / "z", encoded)
    mixed = latents[1].float().double()
    for row in (0, 3, 4, 9):
        mixed[row] = latents[1][row]
    for k, z in enumerate((latents[0], mixed, latents[2])):
        shards.write(k, z, {})
    index = shards.finish()
    assert index["shards"][1]["float64"] == [[10, 11], [13, 15], [19, 20]]
    assert (index["float64"], index["kept"]) == (4, 0)
    assert torch.equal(zoo.latents.load(shards.folder).decode(range(25)), IMAGES)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_ordinary_data_loader_makes_batches(folder, latents, workers: int) -> None:
    loader = DataLoader(zoo.latents.load(folder), 10, num_workers=workers)
    batches = list(loader)
    assert [tuple(batch.shape) for batch in batches] == [(10, 96), (10, 96), (5, 96)]
    assert torch.equal(torch.cat(batches), torch.cat([z.double() for z in latents]))


def test_shards_are_memory_mapped_when_they_are_needed(folder) -> None:
    data = zoo.latents.load(folder)
    (folder / file_name(2)).unlink()
    data.gather([3, 14])
    assert list(data._mapped) == [0, 1]
    before = data[9]
    with (folder / file_name(0)).open("r+b") as file:  # in place: a map shows it, a copy would not
        file.seek(-96 * 4, 2)
        file.write(bytes(96 * 4))
    assert before.count_nonzero() == 96
    assert data[9].count_nonzero() == 0


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [damage, cut, Path.unlink], ids=lambda harm: harm.__name__)
def test_a_shard_that_is_not_what_was_written_is_refused(folder, harm) -> None:
    harm(folder / file_name(1))
    data = zoo.latents.load(folder)
    assert data[0].shape == (96,)
    with pytest.raises(LatentError, match=r"shard-000001.safetensors .* only missing shards"):
        data[10]


def test_an_incomplete_folder_says_how_to_go_on(tmp_path, encoded) -> None:
    shards = ShardFolder(tmp_path / "z", encoded)
    with pytest.raises(LatentError, match="is incomplete. Run the same"):
        zoo.latents.load(tmp_path / "z")
    with pytest.raises(LatentError, match="3 of 3 shards are missing"):
        shards.finish()


@pytest.mark.parametrize("text", ["", "[]", '{"model": "x"}', None])
def test_what_is_no_index_is_refused(folder, text: str | None) -> None:
    (folder / INDEX).unlink()
    if text is not None:
        (folder / INDEX).write_text(text)
    with pytest.raises(LatentError, match=r"index.json is not an index"):
        zoo.latents.load(folder)


def test_only_the_flow_that_encoded_decodes(folder, tmp_path) -> None:
    save_folder(tiny(seed=1), tmp_path / "other")
    data = zoo.latents.load(folder, model=f"local-dir:{tmp_path / 'other'}")
    with pytest.raises(LatentError, match="Pass model= the one that encoded them"):
        data.decode(0)


def test_the_index_says_what_was_verified_and_what_needed_float64(folder, encoded) -> None:
    index = json.loads((folder / INDEX).read_text())
    assert (index["images"], index["exact"], index["float64"]) == (25, 25, 10)
    assert index["model"] == encoded.model
    assert [shard["dtype"] for shard in index["shards"]] == ["float32", "float64", "float32"]
    assert [shard["float64"] for shard in index["shards"]] == [[], [[10, 20]], []]
    assert [shard["versions"] for shard in index["shards"]] == [{"flowzoo": k} for k in "012"]


def test_what_is_left_of_a_killed_write_is_removed(folder, encoded) -> None:
    left = folder / f".{file_name(1)}.0123abcd"
    left.write_bytes(b"half")
    ShardFolder(folder, encoded).finish()
    assert left.exists(), "another process may be writing it"
    os.utime(left, (0, 0))
    ShardFolder(folder, encoded).finish()
    assert sorted(path.name for path in folder.iterdir()) == [INDEX, *map(file_name, range(3))]


@pytest.mark.parametrize(
    "other",
    [
        {"sha256": "other"},
        {"dataset": "other"},
        {"split": "train"},
        {"images": 24},
        {"images_sha256": "other"},
        {"shard_size": 5},
    ],
    ids=lambda other: next(iter(other)),
)
def test_nothing_is_mixed_into_a_folder_of_something_else(folder, encoded, other) -> None:
    before = (folder / INDEX).read_bytes()
    with pytest.raises(LatentError, match=r"holds 25 images 1x8x12 of noise .* Choose another"):
        ShardFolder(folder, replace(encoded, **other))
    assert (folder / INDEX).read_bytes() == before
    assert ShardFolder(folder, replace(encoded, model="the same by another name")).missing() == []


def test_two_processes_may_begin_a_folder_at_once(tmp_path, encoded, monkeypatch) -> None:
    exists = Path.exists

    def just_before(path: Path) -> bool:
        """Whether it exists; just after that, another process has written the index."""
        found = exists(path)
        if path.name == INDEX and not found:
            write_json(path, asdict(encoded))
        return found

    monkeypatch.setattr(Path, "exists", just_before)
    assert ShardFolder(tmp_path / "z", encoded).missing() == [0, 1, 2]


def test_a_shard_of_another_set_and_a_cut_one_count_as_missing(folder, encoded, tmp_path) -> None:
    foreign = ShardFolder(tmp_path / "foreign", replace(encoded, dataset="other"))
    foreign.write(1, torch.zeros(10, 96), {})
    (foreign.folder / file_name(1)).replace(folder / file_name(1))
    cut(folder / file_name(2))
    assert ShardFolder(folder, encoded).missing() == [1, 2]


def test_a_folder_of_other_files_is_left_alone(encoded, tmp_path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(LatentError, match="holds other files. Choose an empty"):
        ShardFolder(tmp_path, encoded)
