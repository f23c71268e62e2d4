"""Time from a fresh interpreter that has imported torch to a ready model."""

import itertools
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from zoo.errors import ArgumentError

REPOSITORY = Path(__file__).parents[1]
WAYS = {
    "torch.hub.load": "torch.hub.load({repository!r}, {model!r}, source='local')",
    "zoo.load": "__import__('zoo').load({model!r})",
}
SCRIPT = """
import json, time
start = time.perf_counter()
import torch
imported = time.perf_counter()
{call}
print(json.dumps([imported - start, time.perf_counter() - imported]))
"""


class Row(NamedTuple):
    """One measurement; medians over fresh interpreters.

    Attributes:
        model: Its name.
        way: Way of loading.
        torch_seconds: Seconds of `import torch`.
        seconds: From there to the ready model.
    """

    model: str
    way: str
    torch_seconds: float
    seconds: float


def measure(models: list[str], repeats: int) -> list[Row]:
    """Time every way of loading every model; they take turns."""
    if not (REPOSITORY / "hubconf.py").is_file():
        raise ArgumentError("torch.hub needs hubconf.py: run this from a clone of the repository.")
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for model, way in list(itertools.product(models, WAYS)) * repeats:
        times.setdefault((model, way), []).append(_once(model, way))
    return [
        Row(*key, *(statistics.median(column) for column in zip(*pairs, strict=True)))
        for key, pairs in times.items()
    ]


def _once(model: str, way: str) -> tuple[float, float]:
    call = WAYS[way].format(repository=str(REPOSITORY), model=model)
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(call=call)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    torch_seconds, seconds = json.loads(run.stdout)
    return torch_seconds, seconds
