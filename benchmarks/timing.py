"""Times of several functions, measured so that they can be compared."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from zoo.devices import synchronize

Key = TypeVar("Key")


def interleaved_medians(
    functions: Mapping[Key, Callable[[], Any]], repeats: int
) -> dict[Key, float]:
    """Median time of each function in milliseconds.

    The functions take turns, so that whatever else the machine does hits all of them alike. A GPU
    has done its work when the clock stops.

    Args:
        functions: To time; each is called once more at first, to warm up.
        repeats: Turns.
    """
    times: dict[Key, list[float]] = {key: [] for key in functions}
    for turn in range(repeats + 1):
        for key, function in functions.items():
            start = time.perf_counter()
            function()
            synchronize()
            if turn:
                times[key].append(1000 * (time.perf_counter() - start))
    return {key: statistics.median(values) for key, values in times.items()}
