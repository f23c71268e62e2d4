"""Which method inverts a padded convolution fastest: a cost model of matrix products."""

import functools
import operator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from zoo.errors import ConfigError
from zoo.solvers.operator import Corner, Size

Method = Literal["auto", "wavefront", "row_scan", "blocked", "dense", "fourier"]
METHODS: tuple[Method, ...] = get_args(Method)

TILES: tuple[Size, ...] = ((1, 1), (1, 2), (2, 2), (1, 4), (2, 4), (4, 4), (1, 8), (2, 8))
# Numbers in a matrix beyond which it takes too much memory, and in a tile.
LARGEST_MATRIX = 2**20
LARGEST_TILE = 192


class Plan(NamedTuple):
    """A method, and the tile (bh, bw) of "blocked"."""

    method: Method
    tile: Size = (1, 1)


class Work(NamedTuple):
    """What a solve consists of; also what a unit of each takes on a device, in microseconds.

    Attributes:
        calls: Matrix products, however small.
        products: Thousands of multiplications.
        narrow: The same over the columns of the matrices: narrow ones are slower.
        copies: Thousands of numbers brought into another order, and back.
        flips: The same, where groups are flipped too.
    """

    calls: float
    products: float
    narrow: float
    copies: float
    flips: float


# Fitted by `flowzoo benchmark inverse` to the shapes that it marks as calibration, on 2 threads.
COSTS = {
    "cpu": Work(calls=7.0, products=0.017, narrow=0.34, copies=3.0, flips=12.0),
    # No GPU was at hand: launches dominate, so what counts is their number.
    "gpu": Work(calls=12.0, products=0.0002, narrow=0.006, copies=0.01, flips=0.03),
}


@dataclass(frozen=True)
class Shape:
    """What the cost of an inverse depends on.

    Attributes:
        channels: Per group.
        kernel_size: (kh, kw).
        corners: Of the groups.
        size: (H, W).
        batch: Number of maps.
        device: "cpu", or any other for a GPU.
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
        shape: What to invert.

    Raises:
        ConfigError: If no plan of this method fits into memory.
    """
    plans = [plan for plan in candidates(shape) if method in ("auto", plan.method)]
    if method in ("wavefront", "fourier"):
        return Plan(method)
    if not plans:
        raise ConfigError(
            f"method {method!r} takes too much memory for maps of {shape.size} and "
            f"{shape.channels} channels in a group; use 'auto'."
        )
    return min(plans, key=lambda plan: cost(plan, shape))


def candidates(shape: Shape) -> list[Plan]:
    """Every plan among which "auto" chooses: all that fit into memory.

    Not among them are the wavefront, which blocked does in the same steps without its copies,
    and fourier, which was never the fastest on CPU.
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
    return plans


def cost(plan: Plan, shape: Shape) -> float:
    """Expected time of a solve in microseconds."""
    costs = COSTS["cpu" if shape.device == "cpu" else "gpu"]
    return sum(map(operator.mul, costs, work(plan, shape)))


def work(plan: Plan, shape: Shape) -> Work:
    """What a plan consists of."""
    count = {"blocked": _blocked, "row_scan": _row_scan, "dense": _dense}[plan.method]
    calls, products, columns = count(plan, shape)
    maps = shape.batch * len(shape.corners)
    numbers = maps * shape.channels * shape.size[0] * shape.size[1] / 1000
    flipped = plan.method == "blocked" and shape.corners != ("top_left",)
    return Work(
        calls=calls,
        products=products * maps / 1000,
        narrow=products * maps / 1000 / columns,
        copies=0.0 if flipped else numbers,
        flips=numbers if flipped else 0.0,
    )


# Each: number of matrix products, multiplications for one map of one group, columns of a matrix.
Count = tuple[float, float, int]


def _blocked(plan: Plan, shape: Shape) -> Count:
    (bh, bw), (kh, kw), channels = plan.tile, shape.kernel_size, shape.channels
    rows, columns = -(-shape.size[0] // bh), -(-shape.size[1] // bw)
    n = bh * bw * channels
    up = min(-(-(kh - 1) // bh), rows - 1)
    reach = min(-(-(kw - 1) // bw), columns - 1) * n
    if bh == 1:
        reach = min(reach, (kw - 1) * channels)
    products = rows * columns * n * (n + reach + up * (reach + n))
    # A product of several groups is one for each of them.
    calls = (rows + columns - 1) * (up + (reach > 0)) * len(shape.corners)
    return calls, products, n


def _row_scan(plan: Plan, shape: Shape) -> Count:
    height, n = shape.size[0], shape.channels * shape.size[1]
    up = min(shape.kernel_size[0], height) - 1
    return height * len(shape.corners), height * (1 + up) * n**2, n


def _dense(plan: Plan, shape: Shape) -> Count:
    n = shape.channels * shape.size[0] * shape.size[1]
    return len(shape.corners), n**2, n
