import json
import os
import shutil
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.folders import save_folder
from tests.test_flow import noise, tiny
from zoo import Flow, load
from zoo.architectures import ARCHITECTURES, build
from zoo.config import FlowConfig
from zoo.errors import ConfigError, WeightsError
from zoo.files import write_atomically
from zoo.folder import content_hash


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_folder(tiny(), tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_flow_loads_as_itself(folder: Path) -> None:
    flow, loaded = tiny(), load(f"local-dir:{folder}")
    assert loaded.config == flow.config
    assert not loaded.training
    assert torch.equal(loaded.encode(noise()), flow.encode(noise()))
    assert all(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("net_actnorm", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loading_uses_no_random_number(
    architecture: str, net_actnorm: bool, tmp_path: Path
) -> None:
    apart = {"shared_net": False} if architecture == "cinc_quad" and net_actnorm else {}
    save_folder(tiny(architecture, net_actnorm=net_actnorm, **apart), tmp_path)
    before = torch.get_rng_state()
    load(f"local-dir:{tmp_path}")
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_leaves_other_threads_their_random_numbers(folder: Path, monkeypatch) -> None:
    def build_meanwhile(config: FlowConfig) -> Flow:
        with ThreadPool(1) as pool:
            pool.apply(torch.rand, (3,))
        return build(config)

    monkeypatch.setattr("zoo.folder.weights.build", build_meanwhile)
    torch.manual_seed(0)
    expected = torch.rand(6)[3:]
    torch.manual_seed(0)
    load(f"local-dir:{folder}")
    assert torch.equal(torch.rand(3), expected)


def test_weights_load_whatever_the_default_type_is(folder: Path) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        flow = load(f"local-dir:{folder}")
    finally:
        torch.set_default_dtype(torch.float32)
    assert flow.dtype == torch.float32
    assert torch.equal(flow.decode(flow.encode(noise()), (8, 12)), noise())


def test_a_loaded_flow_can_be_trained(folder: Path) -> None:
    flow = load(f"local-dir:{folder}").train()
    flow.bits_per_dim(noise()).mean().backward()
    assert all(parameter.grad is not None for parameter in flow.parameters())


def test_the_hash_depends_on_names_types_shapes_and_bytes() -> None:
    base = {"a": torch.zeros(2, 3), "b": torch.ones(1)}
    variants = [
        base,
        {"a": torch.zeros(2, 3), "c": torch.ones(1)},
        {"a": torch.zeros(3, 2), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3, dtype=torch.int32), "b": torch.ones(1)},
        {"a": torch.zeros(2, 3), "b": torch.full((1,), 1 + 2**-23)},
    ]
    assert len({content_hash(tensors) for tensors in variants}) == len(variants)
    assert content_hash(base) == content_hash(dict(reversed(base.items())))
    assert content_hash({"a": torch.zeros(3, 2).T, "b": torch.ones(1)}) == content_hash(base)


def test_saving_twice_writes_the_same_bytes(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save_folder(tiny(), folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def tamper(folder: Path, change) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    edit_config(folder, sha256=content_hash(tensors))


def edit_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


# Gigabytes, though not so many that a configuration is refused for it.
HUGE = {**tiny().config.to_dict(), "hidden_channels": 2**13}
FIRST = "blocks.0.bijections.1.taps"


@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda f: shutil.rmtree(f), WeightsError, "no config.json in .*not a model's folder"),
        (lambda f: (f / "config.json").unlink(), WeightsError, "no config.json"),
        (lambda f: (f / "model.safetensors").unlink(), WeightsError, "no model.safetensors"),
        (lambda f: (f / "config.json").write_text("{"), ConfigError, "cannot be read"),
        (lambda f: (f / "config.json").write_text("[" * 100_000), ConfigError, "cannot be read"),
        (lambda f: (f / "config.json").write_text("[]"), ConfigError, "JSON object"),
        (lambda f: edit_config(f, sha256=None), WeightsError, "announced is None"),
        (lambda f: edit_config(f, flow=HUGE), WeightsError, "holds 4,057 numbers, the flow that"),
        (lambda f: flip_byte(f / "model.safetensors"), WeightsError, "announced"),
        (lambda f: truncate(f / "model.safetensors"), WeightsError, "damaged"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), WeightsError, "damaged"),
        (lambda f: tamper(f, lambda t: t.pop(FIRST)), WeightsError, "lacks 1 tensors"),
        (
            lambda f: tamper(f, lambda t: t.update(extra=torch.ones(1))),
            WeightsError,
            "has unexpected 1 tensors, such as extra",
        ),
        (
            lambda f: tamper(f, lambda t: t.update({FIRST: t[FIRST][:1].clone()})),
            WeightsError,
            FIRST,
        ),
        (
            lambda f: tamper(f, lambda t: t.update({FIRST: t[FIRST].half()})),
            WeightsError,
            "float16",
        ),
    ],
)
def test_damaged_folders_are_refused(folder: Path, damage, error, message: str) -> None:
    damage(folder)
    with pytest.raises(error, match=message):
        load(f"local-dir:{folder}")


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [child.name for child in tmp_path.iterdir()] == ["file"]
