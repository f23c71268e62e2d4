"""Choice of the fastest inverse of a padded convolution, by a cost model."""

import functools
import importlib.util
import math
import operator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch

from zoo.errors import ConfigError
from zoo.solvers.operator import Corner, Size

Method = Literal["auto", "wavefront", "row_scan", "blocked", "dense", "fourier", "sweep"]
# The methods that every device has.
METHODS: tuple[Method, ...] = get_args(Method)[:-1]

TILES: tuple[Size, ...] = ((1, 1), (1, 2), (2, 2), (1, 4), (2, 4), (4, 4), (1, 8), (2, 8))
# Numbers in a matrix beyond which it takes too much memory, and in a tile.
LARGEST_MATRIX = 2**20
LARGEST_TILE = 192
# Beyond them products of spectra are never the fastest.
FEW_CHANNELS = 12


class Plan(NamedTuple):
    """A method, and the tile (bh, bw) of "blocked"."""

    method: Method
    tile: Size = (1, 1)


class Work(NamedTuple):
    """Amounts of work of a solve; also the microseconds that a unit of each takes on a device.

    Attributes:
        steps: Rounds of a loop, each on some views of memory, and other small operations.
        calls: Matrix products, however small.
        products: Thousands of multiplications.
        narrow: The same over the columns of the matrices: narrow ones are slower.
        reads: Thousands of numbers in all matrices that are read, which counts for small batches.
        pieces: Thousands of rows of pixels brought into the order of tiles, and back.
        transposes: Thousands of numbers brought into an order of channels before columns, and back.
        flips: Thousands of numbers that are flipped, and back.
        spectra: Thousands of multiplications of spectra.
        chained: Thousands of multiplications that wait for one another, in a sweep.
    """

    steps: float = 0.0
    calls: float = 0.0
    products: float = 0.0
    narrow: float = 0.0
    reads: float = 0.0
    pieces: float = 0.0
    transposes: float = 0.0
    flips: float = 0.0
    spectra: float = 0.0
    chained: float = 0.0


# Fitted by `python -m benchmarks inverse` to the shapes that it marks as calibration, on 2 threads.
CPU = Work(4.8, 1.41, 0.0112, 0.191, 0.207, 33.5, 0.919, 1.94, 0.976)
# Fitted by `python -m benchmarks gpu` on an H100, launched call by call and in a CUDA graph.
GPU = Work(2.20, 9.52, 0.000161, 0.00517, 0.00143, spectra=0.00246, chained=11.8)
COSTS = {"cpu": CPU, "gpu": GPU, "captured": GPU._replace(steps=0.457, calls=1.59, chained=7.13)}


@dataclass(frozen=True)
class Shape:
    """Shape of a problem, which the cost of its inverse depends on.

    Attributes:
        channels: Per group.
        kernel_size: (kh, kw).
        corners: Corners of the groups.
        size: (H, W).
        batch: Number of maps.
        device: "cpu", "captured" for CUDA graphs (`zoo.solvers.launches`), or any other GPU.
    """

    channels: int
    kernel_size: Size
    corners: tuple[Corner, ...]
    size: Size
    batch: int
    device: str = "cpu"


@functools.lru_cache(maxsize=4096)
def choose(method: Method, shape: Shape) -> Plan:
    """The plan that the cost model expects to be the fastest.

    Args:
        method: "auto" for any plan, else a method: only "blocked" leaves a choice then.
        shape: Shape of the problem to invert.

    Raises:
        ConfigError: If no plan of this method fits into memory.
    """
    if method in ("wavefront", "fourier"):
        return Plan(method)
    if method == "sweep" and not has_sweep(shape.device):
        raise ConfigError("method 'sweep' needs a GPU of CUDA and Triton; use 'auto'.")
    plans = [plan for plan in candidates(shape) if method in ("auto", plan.method)]
    if not plans:
        raise ConfigError(
            f"method {method!r} takes too much memory for maps of {shape.size} and "
            f"{shape.channels} channels in a group; use 'auto'."
        )
    return min(plans, key=lambda plan: cost(plan, shape))


def candidates(shape: Shape) -> list[Plan]:
    """Every plan among which "auto" chooses: all that fit into memory.

    Not among them is the wavefront, which blocked does in the same steps without its copies.
    """
    height, width = shape.size
    row = shape.channels * width
    plans = [
        Plan("blocked", (h, w))
        for h, w in TILES
        if (h, w) == (1, 1)
        or (h <= height and w <= width and h * w * shape.channels <= LARGEST_TILE)
    ]
    if row**2 <= LARGEST_MATRIX:
        plans.append(Plan("row_scan"))
    if (row * height) ** 2 <= LARGEST_MATRIX:
        plans.append(Plan("dense"))
    if shape.channels <= FEW_CHANNELS and 4 * row * shape.channels * height <= LARGEST_MATRIX:
        plans.append(Plan("fourier"))
    if has_sweep(shape.device):
        plans.append(Plan("sweep"))
    return plans


@functools.lru_cache
def has_sweep(device: str) -> bool:
    """Whether Triton is installed for a kind of device, and knows the one that is here."""
    if device not in ("cuda", "captured") or importlib.util.find_spec("triton") is None:
        return False
    return not torch.cuda.is_available() or torch.cuda.get_device_capability() >= (7, 0)


def cost(plan: Plan, shape: Shape) -> float:
    """Expected time of a solve in microseconds."""
    costs = COSTS.get(shape.device, COSTS["gpu"])
    return sum(map(operator.mul, costs, work(plan, shape)))


def work(plan: Plan, shape: Shape) -> Work:
    """Amounts of work of a plan."""
    maps = shape.batch * len(shape.corners)
    numbers = maps * shape.channels * shape.size[0] * shape.size[1] / 1000
    moved = _moved(plan, shape, numbers)
    small = OPERATIONS[plan.method] + ("flips" in moved) * 6 * len(shape.corners)
    if plan.method == "sweep":
        diagonals, taps = sum(shape.size) - 1, math.prod(shape.kernel_size)
        sums = shape.channels * taps
        # Beyond 256 threads a thread has several rows.
        rows = max(1.0, min(shape.size) * shape.channels / 256)
        # A diagonal costs a round through the cache, and then its multiplications.
        chained = diagonals * (60 + sums * rows) / 1000
        return Work(steps=small, products=numbers * sums, chained=chained)
    if plan.method == "fourier":
        points = 4 * shape.size[0] * shape.size[1]
        spectra = maps * shape.channels**2 * points / 1000
        return Work(steps=small, calls=1, spectra=spectra, **moved)
    count = {"blocked": _blocked, "row_scan": _row_scan, "dense": _dense}[plan.method]
    steps, products, reads, columns = count(plan, shape)
    return Work(
        steps=small + steps,
        calls=steps * len(shape.corners),
        products=products * maps / 1000,
        narrow=products * maps / 1000 / columns,
        reads=reads * len(shape.corners) / 1000,
        **moved,
    )


def _moved(plan: Plan, shape: Shape, numbers: float) -> dict[str, float]:
    """Count the numbers that a plan brings into another order, as in `Work`."""
    if plan.method == "sweep":
        return {}
    if plan.method in ("row_scan", "dense"):
        return {"transposes": numbers} if len(shape.corners) > 1 else {}
    flipped = sum(corner != "top_left" for corner in shape.corners) / len(shape.corners)
    pieces = numbers / (shape.channels * plan.tile[1]) if plan.method == "blocked" else 0.0
    return {"pieces": pieces, "flips": flipped * numbers}


# Operations of a solve outside of its loop, without the copies of each group.
OPERATIONS = {"blocked": 12, "row_scan": 10, "dense": 5, "fourier": 60, "sweep": 1}

# Each: rounds of matrix products, multiplications for one map of one group, numbers read in the
# matrices of a group, columns of a matrix.
Count = tuple[float, float, float, int]


def _blocked(plan: Plan, shape: Shape) -> Count:
    (bh, bw), (kh, kw), channels = plan.tile, shape.kernel_size, shape.channels
    rows, columns = -(-shape.size[0] // bh), -(-shape.size[1] // bw)
    n = bh * bw * channels
    up = min(-(-(kh - 1) // bh), rows - 1)
    reach = min(-(-(kw - 1) // bw), columns - 1) * n
    if bh == 1:
        reach = min(reach, (kw - 1) * channels)
    diagonals, window = rows + columns - 2, n * (reach + up * (reach + n))
    # The first anti-diagonal depends on nothing; the inverse is one product for all tiles.
    return (
        1 + diagonals * (up + (reach > 0)),
        rows * columns * (n**2 + window),
        n**2 + diagonals * window,
        n,
    )


def _row_scan(plan: Plan, shape: Shape) -> Count:
    height, n = shape.size[0], shape.channels * shape.size[1]
    # The first rows depend on fewer; the inverse is one product for all rows.
    before = sum(min(row, shape.kernel_size[0] - 1) for row in range(height))
    directions = len({corner.split("_")[0] for corner in shape.corners})
    return height * directions, (height + before) * n**2, (1 + before) * n**2, n


def _dense(plan: Plan, shape: Shape) -> Count:
    n = shape.channels * shape.size[0] * shape.size[1]
    return 1, n**2, n**2, n
