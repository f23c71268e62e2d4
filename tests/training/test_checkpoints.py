"""A checkpoint is what was written, or it is refused: whatever became of its file."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.folders import export
from tests.training.runs import run
from zoo.errors import FlowzooError, WeightsError
from zoo.training.checkpoints import read_checkpoint
from zoo.training.export_folder import load_checkpoint

MUTANTS = 500


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return run(tmp_path_factory.mktemp("run"), trainer={"max_steps": 2})


def leaves(value: Any) -> Iterator[Any]:
    """All numbers, texts and tensors of nested lists and dicts, in their order."""
    if isinstance(value, dict):
        yield from (leaf for key in value for leaf in (key, *leaves(value[key])))
    elif isinstance(value, list | tuple):
        yield from (leaf for entry in value for leaf in leaves(entry))
    else:
        yield value


def same(a: Any, b: Any) -> bool:
    return len(pairs := list(zip(leaves(a), leaves(b), strict=True))) > 0 and all(
        torch.equal(x, y) if isinstance(x, Tensor) else x == y for x, y in pairs
    )


def mutant(data: bytes, place: random.Random) -> bytes:
    """One byte changed, some lost in the middle, or the end lost."""
    i = place.randrange(len(data))
    kind = place.randrange(8)
    if kind == 0:
        return data[:i]
    if kind == 1:
        return data[:i] + data[i + place.randrange(1, 64) :]
    return data[:i] + bytes([data[i] ^ place.randrange(1, 256)]) + data[i + 1 :]


def test_no_mutant_loads_anything_else(whole: Path, tmp_path: Path) -> None:
    place, data, path = random.Random(0), whole.read_bytes(), tmp_path / "mutant.ckpt"
    saved, refused = read_checkpoint(whole), 0
    for _ in range(MUTANTS):
        path.write_bytes(mutant(data, place))
        try:
            found = read_checkpoint(path)
        except WeightsError:
            refused += 1
        else:
            assert same(found, saved)
    assert refused > MUTANTS / 2


TEXTS = [b"", b"text", b"a: 1\n" * 1000, b"PK\x03\x04", b"\x80\x02]q\x00.", b"\x80\x02K\x01.", b"("]


@pytest.mark.parametrize("content", TEXTS, ids=lambda text: repr(text[:8]))
def test_another_file_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(WeightsError, match="is not opened"):
        read_checkpoint(tmp_path / "x.ckpt")


WRONG = [
    {"state_dict": [1]},
    {"state_dict": {"flow.x": 1}},
    {"loops": {}},
    {"loops": {"fit_loop": 3}},
    {"optimizer_states": [{}]},
    {"optimizer_states": []},
    {"lr_schedulers": [{}]},
    {"hyper_parameters": {}},
    {"global_step": "many"},
    {"epoch": None},
    {"flow_config": None},
    {"flow_config": {"schema_version": 1, "architecture": "finc", "flow": {}}},
    {"datamodule_hyper_parameters": None},
    {"datamodule_hyper_parameters": {}},
    {"finetune": 5},
    {"ranks": "two"},
    {"seed": "x"},
    {"recipe": 7},
    {"callbacks": 3},
]


@pytest.mark.parametrize("entries", WRONG, ids=str)
def test_a_checkpoint_of_another_structure_is_refused(whole, tmp_path, entries) -> None:
    path = tmp_path / "wrong.ckpt"
    torch.save({**read_checkpoint(whole), **entries}, path)
    refused = 0
    for use in (
        lambda: export(path, tmp_path / "exported"),
        lambda: run(tmp_path / "run", "--ckpt_path", str(path), trainer={"max_steps": 2}),
    ):
        try:
            use()
        except FlowzooError:
            refused += 1
    assert refused > 0


def test_a_checkpoint_without_one_of_its_parts_is_refused(whole, tmp_path) -> None:
    saved, path = read_checkpoint(whole), tmp_path / "wrong.ckpt"
    for part in ("state_dict", "flow_config", "global_step", "datamodule_hyper_parameters"):
        torch.save({key: value for key, value in saved.items() if key != part}, path)
        with pytest.raises(WeightsError, match="is not a checkpoint of flowzoo train"):
            load_checkpoint(path)


def test_a_checkpoint_of_the_first_version_is_read(whole, tmp_path) -> None:
    saved, path = read_checkpoint(whole), tmp_path / "old.ckpt"
    torch.save(saved, path)
    assert same(read_checkpoint(path), saved)
    assert same(torch.load(whole, weights_only=True), saved), "any program reads the new ones"
    data = bytearray(path.read_bytes())
    largest = max(saved["state_dict"].values(), key=lambda tensor: tensor.numel())
    place = data.find(largest.numpy().tobytes())
    assert place > 0
    data[place] ^= 1  # not in the padding between records, which no checksum covers
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="is damaged"):
        read_checkpoint(path)
