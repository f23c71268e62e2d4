"""Whatever a file, a name or an option says: the right result, or one line that says what to do."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

import zoo
from tests.folders import read_golden, read_subject, save_folder
from tests.test_flow import noise, tiny
from tests.training.runs import recipe
from zoo.cli.coding import _distinct, _inside
from zoo.data import load_images
from zoo.documents import KEY, DocumentError, fits, make, parse_json, read_json
from zoo.errors import ArgumentError, ConfigError, FlowzooError, ImageError, WeightsError
from zoo.files import user_path, write_atomically
from zoo.folder import ModelFolder
from zoo.latents import LatentFile
from zoo.latents.shards import read_index
from zoo.pictures import Fitted, list_pictures
from zoo.sources import MODELS

# JSON.

HOSTILE = [
    b"",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"a": "\\ud800"}',
    b"1" * 10_000,
    b"null",
    b"[]",
    b"{",
    b'{"a": 1}{',
    b" " * 2**20 + b"{}",
]


@pytest.mark.parametrize("content", HOSTILE, ids=lambda content: repr(content[:12]))
def test_json_that_is_none_is_refused_by_every_reader(content: bytes, tmp_path: Path) -> None:
    for name in ("config.json", "eval.json", "index.json"):
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DocumentError):
        read_json(tmp_path / "config.json", most=2**20)
    for read in (
        lambda: ModelFolder(tmp_path).config,
        lambda: read_index(tmp_path),
        lambda: zoo.load(f"local-dir:{tmp_path}"),
    ):
        with pytest.raises(FlowzooError):
            read()


VALUES = [None, True, -1, 0, 2**64, 10**400, 1e400, "x", "", [], [[]], {}, {"a": []}]


def nodes(value: Any, path: tuple = ()) -> list[tuple]:
    """Paths of all entries of nested JSON."""
    if isinstance(value, dict):
        found = [(*path, key) for key in value]
    elif isinstance(value, list):
        found = [(*path, i) for i in range(min(len(value), 2))]
    else:
        return []
    below = [node for at in found for node in nodes(value[at[-1]], at)]
    return found + below


def replaced(value: Any, path: tuple, by: Any) -> Any:
    copy = json.loads(json.dumps(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    if by is Ellipsis:
        del at[path[-1]]
    else:
        at[path[-1]] = by
    return copy


def mutants(document: Any, count: int):
    place = random.Random(0)
    paths = nodes(document)
    for _ in range(count):
        yield replaced(document, place.choice(paths), place.choice([..., *VALUES]))


@pytest.mark.parametrize(("name", "count"), [("config.json", 50), ("eval.json", 120)])
def test_a_card_of_any_json_is_a_card_or_one_line(name: str, count: int, tmp_path) -> None:
    from zoo.cards.card import render
    from zoo.cards.figures import shares

    save_folder(tiny(), tmp_path, {"name": "tiny", "dataset": "digits", "step": 3})
    folder = ModelFolder(tmp_path)
    zoo.folder.make_golden(tiny()).save(tmp_path / "golden.safetensors")
    known = MODELS["finc_mnist"].folder.evaluation
    of_these = {"sha256": folder.sha256, "identity": zoo.folder.identity(tiny())}
    folder.write_evaluation({**known, **of_these})
    parent = {"name": "finc_mnist", "sha256": "0" * 64}
    folder.write_config({**folder.config, "parent": parent, "license": "mit"})
    whole, refused = json.loads((tmp_path / name).read_text()), 0
    render(read_subject(tmp_path))
    for mutant in mutants(whole, count):
        (tmp_path / name).write_text(json.dumps(mutant))
        try:
            subject = read_subject(tmp_path)
            render(subject)
            shares(subject.evaluation["likelihood_histogram"], "bits/dim")
        except FlowzooError:
            refused += 1
    assert refused > count / 10


def test_any_latents_description_is_right_or_refused(tmp_path) -> None:
    flow = tiny()
    z, path = flow.encode(noise(2)), tmp_path / "z"
    image = {"name": "a", "original_size": [6, 8], "size": [8, 12], "offset": [1, 2], "changes": ""}
    about = {"model": "x", "sha256": "y", "images": [image, image]}
    for mutant in mutants(about, 200):
        # As of the first version: nothing but the schema stands between it and the reader.
        save_file({"0": z[0].clone(), "1": z[1].clone()}, path, {KEY: json.dumps(mutant)})
        try:
            file = LatentFile.load(path)
        except FlowzooError:
            continue
        for fitted in file.images:
            assert fitted.restore(torch.zeros(1, *fitted.size)).numel() > 0 or fitted.offset is None


def test_schemas_tell_types_apart() -> None:
    assert fits({"a": [1, None]}, {"a": [int | None]})
    assert not fits({"a": True}, {"a": int})
    assert not fits({"a": 1.0}, {"a": int})
    assert fits([1, 2], tuple[int, int])
    assert not fits([1, 2, 3], tuple[int, int])
    with pytest.raises(DocumentError, match="offset is"):
        make(Fitted, {"offset": "x"})
    with pytest.raises(DocumentError):
        make(Fitted, {"name": "x"})
    with pytest.raises(DocumentError, match="more than 3 bytes"):
        parse_json("[1, 2]", most=3)


# Tensors.


def test_golden_tensors_of_other_types_are_refused(tmp_path) -> None:
    zoo.folder.make_golden(tiny()).save(path := tmp_path / "golden.safetensors")
    good = vars(read_golden(tmp_path)) | {"natural": torch.tensor(0)}
    for name, wrong in [
        ("images", good["images"].float()),
        ("images", good["images"][0]),
        ("latents", good["latents"][:1]),
        ("latents", good["latents"].float()),
        ("log_density", good["log_density"][:, None]),
        ("natural", torch.tensor(99)),
        ("natural", torch.tensor([1, 2])),
        ("more", torch.tensor(0)),
    ]:
        save_file({**good, name: wrong.contiguous().clone()}, path)
        with pytest.raises(WeightsError, match="missing or damaged"):
            read_golden(tmp_path)


def test_a_permutation_out_of_range_is_refused(tmp_path) -> None:
    flow = tiny("glow")
    name = next(name for name in flow.state_dict() if name.endswith("permutation"))
    flow.state_dict()[name][0] = 10**6
    save_folder(flow, tmp_path)
    with pytest.raises(WeightsError, match="is no permutation"):
        zoo.load(f"local-dir:{tmp_path}")


def test_more_tensors_than_any_model_has_are_refused_at_once(tmp_path) -> None:
    empty = torch.empty(0)
    header = {
        f"{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(140_000)
    }
    text = json.dumps(header).encode()
    assert empty.numel() == 0
    path = tmp_path / "model.safetensors"
    save_folder(tiny(), tmp_path)
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    start = time.process_time()
    with pytest.raises(WeightsError, match="more than 131,072 tensors"):
        zoo.load(f"local-dir:{tmp_path}")
    assert time.process_time() - start < 10


@pytest.mark.parametrize("value", [1e30, -1e30, float("inf"), float("nan")])
def test_absurd_weights_are_named_not_hidden(value: float) -> None:
    flow = tiny()
    for parameter in flow.parameters():
        parameter.data.fill_(value)
    for use in (lambda: flow.encode(noise(2)), lambda: flow.sample(2)):
        with pytest.raises(FlowzooError):
            use()


@pytest.mark.parametrize("bound", [2**64, 10**400, 1e300])
def test_absurd_bounds_are_refused(bound: float) -> None:
    for name in ("gain_max", "shift_max", "input_max", "log_scale_max"):
        with pytest.raises(ConfigError, match="at most 1e"):
            tiny(**{name: bound})


def test_a_flow_of_half_precision_is_certified_in_the_precision_that_it_encodes_in() -> None:
    assert tiny().half().certify().dtype == "float32"


# Names.


def test_equal_names_are_numbered_in_no_time() -> None:
    start = time.process_time()
    names = _distinct(["a"] * 20_000)
    assert len(set(names)) == 20_000
    assert time.process_time() - start < 5
    assert _distinct(["a", "A", "a_1", "a"]) == ["a", "A_1", "a_1_1", "a_2"]


def test_paths_that_are_none_are_refused() -> None:
    for path in ("~nobody-of-that-name/x", "a\0b", "\udcff"):
        with pytest.raises(ArgumentError, match="is no path"):
            user_path(path)
        with pytest.raises(ArgumentError, match="is no path"):
            zoo.load(f"local-dir:{path}")
    assert _inside("a\0b/../c") == "ab/c"


def test_names_up_to_the_longest_are_written(tmp_path) -> None:
    path = tmp_path / ("é" * 127)
    write_atomically(path, b"x")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("L", (8, 8), 7).save(folder / "a.png")
    return folder


def test_pipes_and_links_to_themselves_are_skipped(photos) -> None:
    os.mkfifo(photos / "pipe.png")
    (photos / "again").symlink_to(photos, target_is_directory=True)
    (photos / "once more").symlink_to(photos, target_is_directory=True)
    (photos / "loop.png").symlink_to(photos / "loop.png")
    pictures, skipped = list_pictures(photos)
    assert [path.name for path in pictures] == ["a.png"]
    assert {path.name for path in skipped} == {"pipe.png", "loop.png"}
    with pytest.warns(UserWarning, match="2 files skipped, not named as images"):
        images = load_images("folder", photos, "all", size=(8, 8), channels=1)
    assert len(images) == 1


def test_a_pipe_is_no_image_file(photos, run, tmp_path) -> None:
    os.mkfifo(photos / "pipe.png")
    code, _, err = run("encode", photos / "pipe.png", "-o", tmp_path / "z")
    assert (code, "is no file" in err) == (2, True)


def test_a_name_that_is_no_text_is_one_line(photos, run, tmp_path) -> None:
    name = os.fsdecode(b"\xff.png")
    shutil.copy(photos / "a.png", photos / name)
    with pytest.raises(ImageError, match="is not in UTF-8"):
        load_images("folder", photos, "all", size=(8, 8), channels=1)
    for images in (photos, photos / name):
        code, _, err = run("encode", images, "-o", tmp_path / "z")
        assert (code, "is not in UTF-8. Rename it" in err) == (2, True)


# The command.


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "zoo", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=300,
    )


def test_ls_in_ascii() -> None:
    done = command("ls", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 0, done.stderr
    assert b"finc_mnist" in done.stdout


@pytest.mark.parametrize("size", ["999999996", "99999999999999999996"])
def test_a_huge_size_is_one_line(run, tmp_path, size: str) -> None:
    code, _, err = run("sample", "finc_mnist", "--size", f"{size},{size}", "-o", tmp_path / "x.png")
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[x] can't allocate memory: 9")])
def test_out_of_memory_is_one_line(run, monkeypatch, tmp_path, error) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(zoo.Flow, "sample", fail)
    code, _, err = run("sample", "finc_mnist", "-o", tmp_path / "x.png")
    assert (code, err.splitlines()[-1]) == (
        2,
        "flowzoo: there is not enough memory. Take fewer or smaller images at a time.",
    )


def test_a_bug_keeps_its_traceback(run, monkeypatch, tmp_path) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(zoo.Flow, "sample", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        run("sample", "finc_mnist", "-o", tmp_path / "x.png")


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_is_one_line_and_130(run, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(zoo.Flow, "sample", interrupt)
    code, _, err = run("sample", "finc_mnist", "-o", tmp_path / "x.png")
    assert (code, err.splitlines()) == (130, ["flowzoo: interrupted."])


@pytest.mark.parametrize("method", ["training_step", "setup"])
def test_ctrl_c_in_training_is_one_line_and_130(run, monkeypatch, tmp_path, method) -> None:
    from zoo.training.module import FlowModule

    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(tmp_path)))
    monkeypatch.setattr(FlowModule, method, interrupt)
    code, _, err = run("train", "--config", path)
    assert (code, err.splitlines()[-1]) == (130, "flowzoo: interrupted.")


OPTIONS = {
    "--data.batch_size=0": "at least 1",
    "--model.lr=-1": "model.lr must be",
    "--ema.decay=2": "ema.decay must be",
    "--finetune.freeze=[0-99999999999]": "there is no level 99999999999",
    "--seed_everything=-1": "seed_everything must be",
}


@pytest.mark.parametrize("option", OPTIONS)
def test_options_out_of_range_are_one_line(run, tmp_path, option: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe(tmp_path)))
    code, _, err = run("train", "--config", path, option, "--trainer.max_steps=1")
    assert code == 2
    assert OPTIONS[option] in err.splitlines()[-1]


def test_a_recipe_that_is_no_text_is_one_line(run, tmp_path) -> None:
    (tmp_path / "recipe.yaml").write_bytes(b"\xff\xfe\x00")
    code, _, err = run("train", "--config", tmp_path / "recipe.yaml")
    assert (code, "UTF-8" in err.splitlines()[-1]) == (2, True)
