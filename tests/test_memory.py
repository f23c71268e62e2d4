"""Memory: what large images take is bounded, and what is not there is said before it is taken."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.test_flow import tiny
from zoo import devices
from zoo.errors import TooLargeError
from zoo.flow import too_large

SIZE = (1024, 1536)
# Peaks of a flow as wide as the published ones; with the depth only the time grows.
SCRIPT = """
import json, resource, sys, torch, zoo
from zoo.architectures import ARCHITECTURES

dtype, size = getattr(torch, sys.argv[1]), (int(sys.argv[2]), int(sys.argv[3]))
options = {"steps": 1, "levels": 2, "hidden_channels": 256}
flow = zoo.build(ARCHITECTURES["finc"].preset("compact_cifar10", **options)).to(dtype).eval()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
image = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
flow.decode(flow.encode(image))
image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
start = peak()
z = flow.encode(image)
assert torch.equal(flow.decode(z, size), image)
print(json.dumps(peak() - start))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak in KiB")
def test_a_large_image_takes_no_more_than_is_asked_for() -> None:
    call = [sys.executable, "-c", SCRIPT, "float32", *map(str, SIZE)]
    run = subprocess.run(call, capture_output=True, text=True, check=True)
    numbers = 3 * SIZE[0] * SIZE[1]
    # One hidden map of the finest level alone would have 400 MB.
    assert json.loads(run.stdout) < too_large.COPIES * 4 * numbers + too_large.BANDS / 2


@pytest.mark.parametrize(
    ("batch", "advice"), [(1, "Cut it into smaller ones"), (4, "Take fewer images at a time")]
)
def test_too_little_memory_is_an_error_that_says_how_much(batch, advice, monkeypatch) -> None:
    monkeypatch.setattr(too_large, "SMALL", 0)
    monkeypatch.setattr(too_large, "free_memory", lambda device: 500_000_000)
    images = torch.zeros(batch, 1, 8, 12, dtype=torch.uint8)
    with pytest.raises(TooLargeError, match=rf"about 0.5 GB in float32, and 0.5 GB.*{advice}"):
        tiny().encode(images)


def test_small_images_do_not_ask_the_system(monkeypatch) -> None:
    monkeypatch.setattr(too_large, "free_memory", lambda device: pytest.fail("asked"))
    tiny().encode(torch.zeros(4, 1, 8, 12, dtype=torch.uint8))


def test_a_container_has_less_than_the_machine(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 2000 kB\nMemAvailable: 1000 kB\nHugePages: 0\n")
    monkeypatch.setattr(devices, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(devices, "GROUP", tmp_path)
    cpu = torch.device("cpu")
    assert devices.free_memory(cpu) == 1000 * 1024
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 300\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert devices.free_memory(cpu) == 1000 * 1024
    (tmp_path / "memory.max").write_text("1000\n")
    assert devices.free_memory(cpu) == 400
    monkeypatch.setattr(devices, "MEMORY", tmp_path / "none")
    assert devices.free_memory(cpu) is None
