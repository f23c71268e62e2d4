"""Latents decode to the images that were encoded, or are refused: whatever became of their file.

Each mutant is one bit, a cut, or an edit of one entry, all drawn from a seed.
"""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import zoo
import zoo.latents
from tests.folders import save_folder
from tests.test_flow import noise, tiny
from zoo.documents import KEY, SEAL, content_hash, read_tensors, seal, unseal
from zoo.errors import FlowzooError, LatentError
from zoo.folder import identity, is_identity
from zoo.latents import LatentFile
from zoo.latents.shards import INDEX, EncodedSet, ShardFolder, file_name
from zoo.pictures import Fitted

IMAGES = noise(12)
MUTANTS = 300


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("model")
    save_folder(tiny(preprocessing="logit", logit_alpha=0.001), folder)
    return f"local-dir:{folder}"


@pytest.fixture(scope="module")
def flow(model) -> zoo.Flow:
    return zoo.load(model)


@pytest.fixture(scope="module")
def z(flow) -> Tensor:
    return flow.encode(IMAGES)


def change_config(model: str, folder: Path, **changes: object) -> str:
    shutil.copytree(model.removeprefix("local-dir:"), folder)
    config = json.loads((folder / "config.json").read_text())
    config["flow"] |= changes
    (folder / "config.json").write_text(json.dumps(config))
    return f"local-dir:{folder}"


def fitted(count: int) -> list[Fitted]:
    return [Fitted(f"image{i}", (8, 12), (8, 12), None, "as it is") for i in range(count)]


def shard_folder(folder: Path, model: str, sha256: str, z: Tensor) -> ShardFolder:
    encoded = EncodedSet(model, sha256, "noise", "test", 12, (1, 8, 12), "of the pixels", 4)
    shards = ShardFolder(folder, encoded)
    for k in range(3):
        shards.write(k, z[4 * k : 4 * k + 4], {})
    return shards


# Whose latents they are.


@pytest.mark.parametrize(
    "changes", [{"logit_alpha": 0.05}, {"preprocessing": "center"}, {"invert": True}], ids=str
)
def test_the_same_weights_under_another_configuration_are_another_flow(
    model, flow, z, tmp_path, changes
) -> None:
    other = change_config(model, tmp_path / "other", **changes)
    changed = zoo.load(other)
    assert content_hash(changed.state_dict()) == content_hash(flow.state_dict())
    assert not is_identity(identity(flow), changed)
    with pytest.raises(LatentError, match="another configuration"):
        LatentFile(model, identity(flow), fitted(12), list(z)).check_model(changed)
    shard_folder(tmp_path / "z", model, identity(flow), z).finish()
    with pytest.raises(LatentError, match="another configuration"):
        zoo.latents.load(tmp_path / "z", model=other).decode(0)
    with pytest.raises(LatentError, match="Choose another folder"):
        shard_folder(tmp_path / "z", model, identity(changed), z)


def test_how_a_number_is_written_makes_no_other_flow() -> None:
    one, same = tiny(gain_max=1), tiny(gain_max=1.0)
    assert identity(one) == identity(same)
    assert identity(one) != identity(tiny(gain_max=2.0))


def test_published_weights_keep_their_hashes_and_their_latents_are_read() -> None:
    for name in zoo.list_models(pretrained=True):
        flow = zoo.load(name)
        sha256 = zoo.sources.MODELS[name].sha256
        assert flow.origin["sha256"] == sha256 == content_hash(flow.state_dict())
        assert is_identity(sha256, flow)
        assert is_identity(flow.origin["identity"], flow)


def test_a_file_of_the_first_version_is_read(model, flow, z, tmp_path) -> None:
    sha256 = content_hash(flow.state_dict())
    about = {"model": model, "sha256": sha256, "images": [asdict(image) for image in fitted(12)]}
    tensors = {str(i): row.clone() for i, row in enumerate(z)}
    save_file(tensors, tmp_path / "z", {KEY: json.dumps(about)})
    file = LatentFile.load(tmp_path / "z")
    file.check_model(flow)
    assert torch.equal(flow.decode(torch.stack(list(file.latents))), IMAGES)


def test_a_folder_of_the_first_version_is_read(model, flow, z, tmp_path) -> None:
    encoded = EncodedSet(
        model, content_hash(flow.state_dict()), "noise", "test", 12, (1, 8, 12), "of the pixels", 4
    )
    entries = []
    for k in range(3):
        tensors = {"latents": z[4 * k : 4 * k + 4].clone()}
        about = {"images": 4, "dtype": "float32", "sha256": content_hash(tensors), "versions": {}}
        metadata = {KEY: json.dumps({"set": encoded.id, **about})}
        save_file(tensors, tmp_path / file_name(k), metadata)
        entries.append({"file": file_name(k), **about})
    (tmp_path / INDEX).write_text(json.dumps({**asdict(encoded), "shards": entries}))
    assert torch.equal(zoo.latents.load(tmp_path).decode(range(12)), IMAGES)
    (tmp_path / INDEX).write_text(json.dumps({**asdict(encoded), "shards": entries[::-1]}))
    with pytest.raises(LatentError, match="not as they were written"):
        zoo.latents.load(tmp_path)


# What became of the files.


def flip(data: bytes, place: random.Random) -> bytes:
    changed = bytearray(data)
    changed[place.randrange(len(data))] ^= 1 << place.randrange(8)
    return bytes(changed)


def cut(data: bytes, place: random.Random) -> bytes:
    return data[: place.randrange(len(data))]


def digit(data: bytes, place: random.Random) -> bytes:
    """Another digit somewhere, so that numbers change and JSON stays JSON."""
    digits = [i for i, byte in enumerate(data) if chr(byte).isdigit()]
    i = place.choice(digits)
    return (
        data[:i]
        + place.choice(b"0123456789".replace(data[i : i + 1], b"")).to_bytes(1, "big")
        + data[i + 1 :]
    )


def mutants(data: bytes, count: int = MUTANTS):
    place = random.Random(0)
    for _ in range(count):
        yield place.choice([flip, flip, cut, digit])(data, place)


def outcomes(path: Path, read: Callable[[], Tensor | None], count: int = MUTANTS) -> set[str]:
    """Mutants of files: the images come back, or an error of flowzoo."""
    whole, found = path.read_bytes(), set()
    for mutant in mutants(whole, count):
        path.write_bytes(mutant)
        try:
            images = read()
        except FlowzooError:
            found.add("refused")
        else:
            assert torch.equal(images, IMAGES)
            found.add("right")
    path.write_bytes(whole)
    return found


def test_no_mutant_of_a_latents_file_decodes_to_other_images(model, flow, z, tmp_path) -> None:
    path = tmp_path / "z"
    LatentFile(model, identity(flow), fitted(12), list(z)).save(path)

    def read() -> Tensor:
        file = LatentFile.load(path)
        file.check_model(flow)
        names = [image.name for image in file.images]
        assert names == [f"image{i}" for i in range(12)]
        return flow.decode(torch.stack(list(file.latents)), file.images[0].size)

    assert outcomes(path, read) >= {"refused"}


def test_no_mutant_of_a_shard_is_taken(model, flow, z, tmp_path) -> None:
    shards = shard_folder(tmp_path / "z", model, identity(flow), z)
    shards.finish()

    def read() -> Tensor:
        data = zoo.latents.load(shards.folder)
        data.flow = flow
        return data.decode(range(12))

    assert outcomes(shards.folder / file_name(1), read) >= {"refused"}


def test_no_mutant_of_an_index_is_taken(model, flow, z, tmp_path) -> None:
    shards = shard_folder(tmp_path / "z", model, identity(flow), z)
    shards.finish()

    def read() -> Tensor:
        data = zoo.latents.load(shards.folder)
        data.flow = flow
        return data.decode(range(12))

    assert outcomes(shards.folder / INDEX, read) >= {"refused"}


def test_a_shard_in_another_s_place_is_missing(model, flow, z, tmp_path) -> None:
    shards = shard_folder(tmp_path / "z", model, identity(flow), z)
    shutil.copy(shards.folder / file_name(0), shards.folder / file_name(2))
    assert shards.missing() == [2]
    with pytest.raises(LatentError, match="1 of 3 shards are missing"):
        shards.finish()


def test_a_shard_of_other_tensors_is_missing(model, flow, z, tmp_path) -> None:
    shards = shard_folder(tmp_path / "z", model, identity(flow), z)
    path = shards.folder / file_name(1)
    tensors, about, _ = unseal(path)
    path.write_bytes(seal({"others": tensors["latents"].clone()}, about))
    assert shards.missing() == [1]


def test_rotten_latents_are_missing_and_encoded_again(model, flow, z, tmp_path) -> None:
    shards = shard_folder(tmp_path / "z", model, identity(flow), z)
    path = shards.folder / file_name(1)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert shards.missing() == [1]
    shards.write(1, z[4:8], {})
    index = shards.finish()
    assert index["read_back"] >= max(shard["verified"] for shard in index["shards"])
    assert torch.equal(zoo.latents.load(shards.folder).decode(range(12)), IMAGES)


@pytest.mark.parametrize("entry", ["grey_levels", "image_size", "images", "shard_size", "sha256"])
def test_an_index_that_was_edited_is_refused(model, flow, z, tmp_path, entry: str) -> None:
    shards = shard_folder(tmp_path / "z", model, identity(flow), z)
    index = shards.finish()
    values = {"grey_levels": 16, "image_size": [1, 12, 8], "images": 11, "shard_size": 3}
    (shards.folder / INDEX).write_text(json.dumps({**index, entry: values.get(entry, "x")}))
    with pytest.raises(LatentError, match="is not an index"):
        zoo.latents.load(shards.folder)


def test_a_seal_that_was_taken_off_is_noticed(model, flow, z, tmp_path) -> None:
    shards = shard_folder(tmp_path / "z", model, identity(flow), z)
    path = shards.folder / file_name(0)
    tensors, metadata = read_tensors(path)
    del metadata[SEAL]
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path, metadata)
    assert shards.missing() == [0]
