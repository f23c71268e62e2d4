"""`flowzoo encode-dataset`, on scikit-learn's digits."""

import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
import torch

import zoo.latents
from tests.test_flow import explode, tiny
from zoo.errors import NotInvertibleError
from zoo.latents.shards import INDEX, ShardFolder, file_name
from zoo.training.data import load_images
from zoo.training.encoding import encode_dataset
from zoo.weights import save_folder


def save(folder: Path, flow) -> str:
    save_folder(flow, folder)
    return f"local-dir:{folder}"


@pytest.fixture
def model(tmp_path: Path) -> str:
    return save(tmp_path / "model", tiny(size=(8, 8)))


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def arguments(model: str, output: Path, *more: object) -> list[str]:
    """Of the command, for 1500 images in 50 shards."""
    options = ("--data", "digits", "--data-dir", "x", "--split", "train", "--shard-size", 30)
    return [str(part) for part in ("encode-dataset", model, *options, "--out", output, *more)]


def encode_and_kill(command: list[str], folder: Path) -> None:
    """Encode in two processes, and kill -9 both as soon as each has written a shard."""
    command = [sys.executable, "-m", "zoo", *command, "--devices", "2", "--strategy", "ddp"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    while process.poll() is None and {number(path) % 2 for path in written(folder)} != {0, 1}:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def number(path: Path) -> int:
    return int(path.stem.removeprefix("shard-"))


def written(folder: Path) -> dict[Path, tuple[int, int]]:
    """Shards, with what changes when one is written again."""
    paths = {path: path.stat() for path in folder.glob("shard-*")}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in paths.items()}


def test_two_killed_processes_are_taken_up_by_one(run, model, tmp_path, one_thread) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert run(*arguments(model, whole))[0] == 0
    encode_and_kill(arguments(model, resumed), resumed)
    assert "shards" not in json.loads((resumed / INDEX).read_text())
    done = written(resumed)
    assert 2 <= len(done) < 50
    code, out, _ = run(*arguments(model, resumed))
    assert code == 0
    assert "1,500 images in 50 shards" in out
    assert done.items() <= written(resumed).items(), "shards were encoded again"
    assert json.loads((resumed / INDEX).read_text()) == json.loads((whole / INDEX).read_text())
    assert not list(resumed.glob(".*"))
    data = zoo.latents.load(resumed)
    assert torch.equal(data.decode(range(1500)), load_images("digits", "", "train"))


def test_latents_of_one_shard_are_held_at_a_time(model, tmp_path, monkeypatch) -> None:
    latents, held, write = [], [], ShardFolder.write

    def watch(self, shard, z, float64) -> None:
        held.append(sum(reference() is not None for reference in latents))
        latents.append(weakref.ref(z))
        write(self, shard, z, float64)

    monkeypatch.setattr(ShardFolder, "write", watch)
    encode_dataset(model, "digits", tmp_path, tmp_path / "z", shard_size=100)
    assert held == [0, 0, 0]


@pytest.mark.filterwarnings("ignore::zoo.exactness.StabilityWarning")
def test_images_that_need_float64_are_counted_and_come_back(tmp_path) -> None:
    source = save(tmp_path / "model", explode(tiny(size=(8, 8)), 5.0))
    index = encode_dataset(source, "digits", tmp_path, tmp_path / "z")
    assert index["exact"] == 297
    needing = index["shards"][0]["float64"]
    assert index["float64"] == len(needing) > 0
    data = zoo.latents.load(tmp_path / "z")
    assert data.dtype == torch.float64
    images = load_images("digits", "", "test")
    assert torch.equal(data.decode(range(297)), images)
    z = data.flow.encode(images, exact=False)
    wrong = (data.flow.decode(z, (8, 8)) != images).flatten(1).any(1).nonzero().flatten().tolist()
    assert set(wrong) <= set(needing)


@pytest.mark.filterwarnings("ignore::zoo.exactness.StabilityWarning")
def test_images_that_do_not_come_back_stop_it(tmp_path) -> None:
    source = save(tmp_path / "model", explode(tiny(size=(8, 8)), 50.0))
    with pytest.raises(NotInvertibleError, match="shard 0: 100 of 100 images do not come back"):
        encode_dataset(source, "digits", tmp_path, tmp_path / "z", shard_size=100)
    assert not (tmp_path / "z" / file_name(0)).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "validation"], "--split is train or test; got validation"),
        (["--data", "digit"], "no data set 'digit'. Did you mean digits"),
        (["--devices", "many"], "Lightning refuses these options"),
        (["--strategy", "dpp"], "Lightning refuses these options"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_are_one_line(run, model, tmp_path, options, message) -> None:
    code, _, err = run(*arguments(model, tmp_path / "z", *options))
    assert code == 2
    assert message in err.splitlines()[-1]
    assert not (tmp_path / "z").exists()


def test_images_that_the_flow_does_not_take_are_refused(tmp_path) -> None:
    source = save(tmp_path / "model", tiny("glow", channels=3, size=(8, 8)))
    with pytest.raises(ValueError, match=r"images must be uint8 of shape \(B, 3, H, W\)"):
        encode_dataset(source, "digits", tmp_path, tmp_path / "z")
