"""Which method inverts a padded convolution fastest: a cost model of matrix products."""

import functools
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from zoo.errors import ConfigError
from zoo.solvers.operator import Corner, Size

Method = Literal["auto", "wavefront", "row_scan", "blocked", "dense", "fourier"]
METHODS: tuple[Method, ...] = get_args(Method)

TILES: tuple[Size, ...] = tuple((h, w) for h in (1, 2, 4) for w in (1, 2, 4, 8, 16) if h <= w)
# Numbers in a matrix beyond which it takes too much memory, and in a tile.
LARGEST_MATRIX = 2**22
LARGEST_TILE = 256


class Plan(NamedTuple):
    """A method, and the tile (bh, bw) of "blocked"."""

    method: Method
    tile: Size = (1, 1)


class Costs(NamedTuple):
    """What a kind of device takes, in microseconds.

    Attributes:
        call: One matrix product, however small.
        products: One thousand multiplications of a large matrix product.
        half: Columns of a product at which it reaches half of that speed.
        copies: One thousand numbers brought into another order, and back.
        regroups: The same, where groups are flipped.
    """

    call: float
    products: float
    half: float
    copies: float
    regroups: float


COSTS = {
    "cpu": Costs(call=7.0, products=0.017, half=20.0, copies=3.0, regroups=12.0),
    "gpu": Costs(call=12.0, products=0.0002, half=32.0, copies=0.01, regroups=0.03),
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
    groups, row = len(shape.corners), shape.channels * width
    plans = [
        Plan("blocked", (h, w))
        for h, w in TILES
        if (h, w) == (1, 1)
        or (h <= height and w <= width and h * w * shape.channels <= LARGEST_TILE)
    ]
    if groups * row**2 <= LARGEST_MATRIX:
        plans.append(Plan("row_scan"))
    if groups * (row * height) ** 2 <= LARGEST_MATRIX:
        plans.append(Plan("dense"))
    return plans


def cost(plan: Plan, shape: Shape) -> float:
    """Expected time of a solve in microseconds, from the number and size of its products."""
    costs = COSTS["cpu" if shape.device == "cpu" else "gpu"]
    counts = {"blocked": _blocked, "row_scan": _row_scan, "dense": _dense}
    calls, products, columns, flipped = counts[plan.method](plan, shape)
    numbers = shape.batch * len(shape.corners) * shape.channels * shape.size[0] * shape.size[1]
    slowdown = 1 + costs.half / columns
    copies = costs.regroups if flipped else costs.copies
    return (
        calls * costs.call
        + products * shape.batch * len(shape.corners) / 1000 * costs.products * slowdown
        + numbers / 1000 * copies
    )


class Count(NamedTuple):
    """What a plan does to one map of one group.

    Attributes:
        calls: Matrix products, of all groups and maps.
        products: Multiplications.
        columns: Of the matrices.
        flipped: Whether groups are flipped, which takes copies.
    """

    calls: float
    products: float
    columns: int
    flipped: bool


def _blocked(plan: Plan, shape: Shape) -> Count:
    (bh, bw), (kh, kw), channels = plan.tile, shape.kernel_size, shape.channels
    rows, columns = -(-shape.size[0] // bh), -(-shape.size[1] // bw)
    n = bh * bw * channels
    up = min(-(-(kh - 1) // bh), rows - 1)
    reach = min(-(-(kw - 1) // bw), columns - 1) * n
    if bh == 1:
        reach = min(reach, (kw - 1) * channels)
    products = rows * columns * n * (n + reach + up * (reach + n))
    flipped = shape.corners != ("top_left",)
    calls = (rows + columns - 1) * (up + (reach > 0)) * (1 if len(shape.corners) == 1 else 3)
    return Count(calls, products, n, flipped)


def _row_scan(plan: Plan, shape: Shape) -> Count:
    height, n = shape.size[0], shape.channels * shape.size[1]
    up = min(shape.kernel_size[0], height) - 1
    runs = len({corner.split("_")[0] for corner in shape.corners})
    return Count(height * runs * 2, height * (1 + up) * n**2, n, flipped=False)


def _dense(plan: Plan, shape: Shape) -> Count:
    n = shape.channels * shape.size[0] * shape.size[1]
    return Count(1, n**2, n, flipped=False)
