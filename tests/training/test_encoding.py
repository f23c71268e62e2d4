"""`flowzoo encode-dataset`, on scikit-learn's digits."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

import zoo.latents
from tests.folders import save_folder
from tests.test_flow import explode, tiny
from zoo.data import load_images
from zoo.errors import NotInvertibleError
from zoo.exact import round_trip
from zoo.flow import Flow
from zoo.latents.encoding import encode_dataset
from zoo.latents.shards import INDEX, ShardFolder, file_name


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
    """Arguments of the command, for 1500 images in 50 shards."""
    options = ("--data", "digits", "--data-dir", "x", "--split", "train", "--shard-size", 30)
    return [str(part) for part in ("encode-dataset", model, *options, "--out", output, *more)]


def in_two_processes(command: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "zoo", *command, "--devices", "2", "--strategy", "ddp"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, start_new_session=True)


def encode_and_kill(command: list[str], folder: Path) -> None:
    """Encode in two processes, and kill -9 both as soon as each has written a shard."""
    process = in_two_processes(command)
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


def index(folder: Path) -> dict[str, Any]:
    """The index, without times and the commit: the clone may change while tests run in it."""
    content = json.loads((folder / INDEX).read_text())
    del content["read_back"], content["sha256_of_index"]
    for shard in content["shards"]:
        del shard["versions"]["commit"], shard["verified"]
    return content


def test_two_killed_processes_are_taken_up_by_one_and_by_two(
    run, model, tmp_path, one_thread
) -> None:
    whole, resumed, again = tmp_path / "whole", tmp_path / "resumed", tmp_path / "again"
    assert run(*arguments(model, whole))[0] == 0
    encode_and_kill(arguments(model, resumed), resumed)
    assert "shards" not in json.loads((resumed / INDEX).read_text())
    done = written(resumed)
    assert 2 <= len(done) < 50
    shutil.copytree(resumed, again)
    code, out, _ = run(*arguments(model, resumed))
    assert code == 0
    assert "1,500 images in 50 shards" in out
    assert done.items() <= written(resumed).items(), "shards were encoded again"
    assert index(resumed) == index(whole)
    assert not list(resumed.glob(".*"))
    data = zoo.latents.load(resumed)
    assert torch.equal(data.decode(range(1500)), load_images("digits", "", "train"))
    # First many shards are missing, then fewer than there are processes.
    for missing in (None, file_name(7)):
        if missing:
            (again / missing).unlink()
        with in_two_processes(arguments(model, again)) as process:
            assert process.wait() == 0
        assert index(again) == index(whole)


def test_latents_of_one_shard_are_held_at_a_time(model, tmp_path, monkeypatch) -> None:
    latents, held, write = [], [], ShardFolder.write

    def watch(self, shard, z, *more) -> None:
        held.append(sum(reference() is not None for reference in latents))
        latents.append(weakref.ref(z))
        write(self, shard, z, *more)

    monkeypatch.setattr(ShardFolder, "write", watch)
    encode_dataset(model, "digits", tmp_path, tmp_path / "z", shard_size=100)
    assert held == [0, 0, 0]


def test_the_flow_takes_a_batch_at_a_time(run, model, tmp_path, monkeypatch) -> None:
    batches, encode = [], Flow.encode_centres

    def watch(self, images) -> torch.Tensor:
        batches.append(len(images))
        return encode(self, images)

    monkeypatch.setattr(Flow, "encode_centres", watch)
    assert run(*arguments(model, tmp_path / "z", "--shard-size", 1000, "--batch-size", 300))[0] == 0
    assert batches == [300, 300, 300, 100, 300, 200]


@pytest.mark.filterwarnings("ignore::zoo.exact.certificate.StabilityWarning")
def test_images_that_need_float64_are_counted_and_come_back(tmp_path) -> None:
    source = save(tmp_path / "model", explode(tiny(gain_max=None, size=(8, 8)), 5.0))
    index = encode_dataset(source, "digits", tmp_path, tmp_path / "z")
    assert (index["exact"], index["float64"]) == (297, 297)
    data = zoo.latents.load(tmp_path / "z")
    assert data.dtype == torch.float64
    assert torch.equal(data.decode(range(297)), load_images("digits", "", "test"))


def test_an_image_that_needs_float64_costs_no_other_any_time(model, tmp_path, monkeypatch) -> None:
    images, measured = load_images("digits", "", "test"), round_trip.round_trip_error

    def error(flow, batch, z) -> torch.Tensor:
        """Float32 is not enough for image 113."""
        hard = (batch == images[113]).flatten(1).all(1) & (flow.dtype == torch.float32)
        return measured(flow, batch, z) + hard

    monkeypatch.setattr(round_trip, "round_trip_error", error)
    options = {"shard_size": 100, "batch_size": 10}
    index = encode_dataset(model, "digits", tmp_path, tmp_path / "z", **options)
    assert [shard["float64"] for shard in index["shards"]] == [[], [[113, 114]], []]
    assert (index["float64"], index["kept"]) == (1, 0)
    assert torch.equal(zoo.latents.load(tmp_path / "z").decode(range(297)), images)


@pytest.mark.filterwarnings("ignore::zoo.exact.certificate.StabilityWarning")
def test_images_that_float64_forgets_are_kept_and_counted(tmp_path) -> None:
    source = save(tmp_path / "model", explode(tiny(gain_max=None, size=(8, 8)), 50.0))
    index = encode_dataset(source, "digits", tmp_path, tmp_path / "z", shard_size=100)
    assert (index["exact"], index["float64"]) == (297, 297)
    assert 0 < index["kept"] <= 297
    data = zoo.latents.load(tmp_path / "z")
    assert torch.equal(data.decode(range(297)), load_images("digits", "", "test"))


def test_infinite_latents_stop_it(tmp_path) -> None:
    flow = tiny(size=(8, 8))
    torch.nn.init.constant_(flow.blocks[0].bijections[2].bias, torch.inf)
    source = save(tmp_path / "model", flow)
    with pytest.raises(NotInvertibleError, match="shard 0, from its image 0 on: 100 of 100 images"):
        encode_dataset(source, "digits", tmp_path, tmp_path / "z", shard_size=100)
    assert not (tmp_path / "z" / file_name(0)).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "validation"], "--split is train, val, test or all; got validation"),
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
