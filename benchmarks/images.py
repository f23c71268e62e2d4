"""Time and memory of whole photographs, against their number of pixels."""

import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
MEGAPIXELS = (0.25, 1.0, 4.0, 12.0)
MULTIPLE = 16
RATIO = 4 / 3  # of width and height, as most cameras have it
SCRIPT = "from benchmarks.images import work; work({model!r}, {size!r})"


class Row(NamedTuple):
    """One task on one photograph.

    Attributes:
        model: Name of the flow.
        height: Of the photograph.
        width: Of the photograph.
        task: "encode" without the check, "encode, verified" or "decode".
        seconds: It took.
        gibibytes: The most that it added to the memory of the process (Linux only).
        threads: Threads of torch.
    """

    model: str
    height: int
    width: int
    task: str
    seconds: float
    gibibytes: float
    threads: int

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.height * self.width / 1e6


def measure(model: str, megapixels: Sequence[float] = MEGAPIXELS) -> Iterator[list[Row]]:
    """Encode and decode a photograph of each size, each in a process of its own."""
    for count in megapixels:
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(model=model, size=size_of(count))],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        yield [Row(*row) for row in json.loads(run.stdout)]


def size_of(megapixels: float) -> tuple[int, int]:
    """(H, W) of a photograph of about so many pixels, in multiples that flows accept."""
    height = math.sqrt(megapixels * 1e6 / RATIO)
    return MULTIPLE * round(height / MULTIPLE), MULTIPLE * round(height * RATIO / MULTIPLE)


def work(model: str, size: tuple[int, int]) -> None:
    """Print the rows of one size as JSON.

    Raises:
        RuntimeError: If the photograph does not come back.
    """
    import torch
    from torch import Tensor

    import zoo
    from benchmarks.training_worker import mebibytes_of, pictures, start_of_peak

    flow = zoo.load(model)
    image = pictures(dataclasses.replace(flow.config, size=size), 1)
    small = pictures(flow.config, 1)
    flow.decode(flow.encode(small))  # libraries reserve their memory in the first call
    rows: list[Row] = []

    def run(task: str, call: Callable[[], Tensor]) -> Tensor:
        before, start = start_of_peak(), time.perf_counter()
        result = call()
        seconds, peak = time.perf_counter() - start, mebibytes_of("VmHWM") - before
        rows.append(Row(model, *size, task, seconds, peak / 1024, torch.get_num_threads()))
        return result

    run("encode", lambda: flow.encode(image, exact=False))
    z = run("encode, verified", lambda: flow.encode(image))
    if not torch.equal(run("decode", lambda: flow.decode(z, size)), image):
        raise RuntimeError(f"a photograph of {size} did not come back.")
    print(json.dumps(rows))
