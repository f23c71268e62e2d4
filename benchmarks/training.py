"""Images a second that training takes in, and its memory, beside normflows."""

import dataclasses
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch

from zoo.architectures import ARCHITECTURES

# Presets of two CPU cores, with the steps that take about a second.
SIZES = {"compact_mnist": 6, "compact_cifar10": 2}

# Each lever alone, against Glow without it; the last is what they add up to.
LEVERS: dict[str, dict[str, object]] = {
    "Adam in many kernels": {"fused": False},
    "memory and denormals untouched": {"tuned": False},
    "bfloat16 nets": {"speed": {"nets": "bfloat16"}},
    "checkpointed": {"speed": {"activations": "checkpoint"}},
    "reversible": {"speed": {"activations": "invert"}},
    "compiled": {"speed": {"compile": True}},
    "compiled, bfloat16 nets": {"speed": {"compile": True, "nets": "bfloat16"}},
}


@dataclass(frozen=True)
class Contestant:
    """Who trains, and how.

    Attributes:
        name: An architecture, or "normflows" for that library's Glow.
        preset: Its size; normflows' Glow has that of ours.
        batch: Images of a step.
        steps: Between two clocks.
        fused: Whether the optimiser is one kernel.
        tuned: Whether denormals are zero and freed memory stays, as in `flowzoo train`.
        speed: Arguments of `zoo.training.speed.Speed`.
    """

    name: str
    preset: str
    batch: int
    steps: int
    fused: bool = True
    tuned: bool = True
    speed: dict[str, Any] = field(default_factory=dict)


class Row(NamedTuple):
    """One contestant.

    Attributes:
        preset: Size.
        flow: Architecture, or "normflows" for that library's Glow.
        lever: Option that differs from the default; empty for none.
        batch: Images of a step.
        images_per_second: Median over the turns.
        to_normflows: Its speed divided by that of normflows as it comes.
        time_to_glow: Its time divided by that of our Glow.
        mebibytes: Memory that training added to the peak of the process.
        threads: Threads of torch.
    """

    preset: str
    flow: str
    lever: str
    batch: int
    images_per_second: float
    to_normflows: float
    time_to_glow: float
    mebibytes: float
    threads: int


def measure(preset: str, repeats: int, batch: int = 64) -> list[Row]:
    """Train every contestant of one size, each in a process of its own, in turns."""
    contestants = {(c.name, lever): c for lever, c in _contestants(preset, batch)}
    times, memory = race(list(contestants.values()), repeats)
    speeds = {
        key: batch * contestant.steps / statistics.median(own)
        for (key, contestant), own in zip(contestants.items(), times, strict=True)
    }
    return [
        Row(
            preset,
            *key,
            batch,
            speed,
            speed / speeds["normflows", ""],
            speeds["glow", ""] / speed,
            mebibytes,
            torch.get_num_threads(),
        )
        for (key, speed), mebibytes in zip(speeds.items(), memory, strict=True)
    ]


def _contestants(preset: str, batch: int) -> Iterator[tuple[str, Contestant]]:
    steps = SIZES.get(preset, 1)
    plain = Contestant("normflows", preset, batch, steps, fused=False, tuned=False)
    yield "", plain
    yield "memory kept, no denormals", dataclasses.replace(plain, tuned=True)
    for name, entry in ARCHITECTURES.items():
        if preset in entry.presets:
            yield "", Contestant(name, preset, batch, steps)
    for lever, options in LEVERS.items():
        yield lever, Contestant("glow", preset, batch, steps, **options)  # type: ignore[arg-type]


def race(contestants: Sequence[Contestant], repeats: int) -> tuple[list[list[float]], list[float]]:
    """Seconds of each turn, and the MiB at most, of each contestant."""
    with ExitStack() as stack:
        workers = []
        for contestant in contestants:  # one after the other: their threads would spin together
            workers.append(stack.enter_context(_worker(contestant)))
            _answer(workers[-1])
        turns = [[float(_ask(worker)) for worker in workers] for _ in range(repeats)]
        memory = [float(_finish(worker)) for worker in workers]
    return [list(times) for times in zip(*turns, strict=True)], memory


@contextmanager
def _worker(contestant: Contestant) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.training_worker"]
    argument = json.dumps(dataclasses.asdict(contestant))
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, argument], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _ask(worker: subprocess.Popen[str]) -> str:
    assert worker.stdin
    worker.stdin.write("go\n")
    worker.stdin.flush()
    return _answer(worker)


def _finish(worker: subprocess.Popen[str]) -> str:
    assert worker.stdin
    worker.stdin.close()
    return _answer(worker)


def _answer(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"a contestant stopped with {worker.wait()}; its message is above.")
    return line
