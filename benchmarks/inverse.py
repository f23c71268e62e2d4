"""Time of the exact inverse of a padded convolution, against the convolution itself."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from benchmarks.costs import Timed, name_of
from benchmarks.timing import interleaved_medians
from zoo.bijections import Bijection, FInCUnit, PaddedConv2d
from zoo.solvers import CORNERS, Corner, Plan, Shape, choose, prepare
from zoo.solvers.choice import candidates

UNITS: dict[str, Callable[[int, int], PaddedConv2d | FInCUnit]] = {
    "PaddedConv2d": PaddedConv2d,
    "FInCUnit": FInCUnit,
}
CORNERS_OF: dict[str, tuple[Corner, ...]] = {"PaddedConv2d": CORNERS[:1], "FInCUnit": CORNERS}

# (channels, side) of the papers' networks for 32 x 32, 64 x 64 and 128 x 128 images.
LAYERS = {
    "32 x 32": ((12, 16), (24, 8), (48, 4)),
    "64 x 64": ((12, 32), (24, 16), (48, 8), (96, 4)),
    "128 x 128": ((12, 64), (24, 32), (48, 16), (96, 8)),
}
KERNELS = (3, 5, 7)
BATCHES = (1, 16, 100)


@dataclass(frozen=True)
class Case:
    """A layer to measure.

    Attributes:
        images: Images that the layer's map sizes are of; "side" and "kernel" are the curves.
        unit: PaddedConv2d or FInCUnit.
        channels: C.
        side: H = W.
        kernel: k.
        batch: B.
    """

    images: str
    unit: str
    channels: int
    side: int
    kernel: int
    batch: int

    @property
    def calibration(self) -> bool:
        """Whether the cost model is fitted to it; the others show how it does elsewhere."""
        return self.images == "32 x 32" and self.batch != 16

    @property
    def shape(self) -> Shape:
        """Shape of the problem, which the choice of a method depends on."""
        corners, size = CORNERS_OF[self.unit], (self.side, self.side)
        kernel_size = (self.kernel, self.kernel)
        return Shape(self.channels // len(corners), kernel_size, corners, size, self.batch)

    def layer(self) -> PaddedConv2d | FInCUnit:
        """The layer, with the random weights of its start."""
        torch.manual_seed(0)
        return UNITS[self.unit](self.channels, self.kernel).eval()


@dataclass(frozen=True)
class Row:
    """One measured method.

    Attributes:
        case: Case that was measured.
        method: Name of the plan; "auto" is the layer's own inverse, with the plan it chooses.
        chosen: Whether the layer chooses it.
        forward_ms: Time of the layer's forward, median.
        inverse_ms: Time of the inverse, median.
        error: Largest difference to the float64 wavefront, for latents of unit variance.
    """

    case: Case
    method: str
    chosen: bool
    forward_ms: float
    inverse_ms: float
    error: float

    @property
    def ratio(self) -> float:
        """Inverse over forward."""
        return self.inverse_ms / self.forward_ms

    def record(self) -> dict[str, object]:
        """As a line of a table."""
        rest = {"calibration": self.case.calibration, "ratio": self.ratio}
        values = dataclasses.asdict(self)
        return {**values.pop("case"), **values, **rest, "threads": torch.get_num_threads()}


def layer_cases() -> Iterator[Case]:
    """The layers of the papers' networks."""
    for (images, layers), kernel, batch in itertools.product(LAYERS.items(), KERNELS, BATCHES):
        if images == "128 x 128" and (kernel, batch) != (3, 100):
            continue
        for (channels, side), unit in itertools.product(layers, UNITS):
            yield Case(images, unit, channels, side, kernel, batch)


def curve_cases() -> Iterator[Case]:
    """Over map size and kernel size, as the FInC paper plots them."""
    for unit in UNITS:
        for side in (8, 16, 32, 64, 128):
            yield Case("side", unit, 12, side, 3, 16)
        for kernel in range(2, 12):
            yield Case("kernel", unit, 12, 16, kernel, 16)


@torch.no_grad()
def measure(case: Case, repeats: int) -> list[Row]:
    """Time forward and every method of a case, each with what it keeps in evaluation."""
    layer, size = case.layer(), (case.side, case.side)
    x = torch.randn(case.batch, case.channels, *size)
    x = x.contiguous(memory_format=torch.channels_last)  # as in the flows
    y = layer(x)[0]
    plans = {name_of(plan): plan for plan in _plans(case.shape)}
    operator = layer.operator()
    solvers = {name: prepare(operator, size, y.dtype, plan) for name, plan in plans.items()}
    expected = prepare(operator, size, torch.float64, Plan("wavefront")).solve(y.double())
    inverses = {"auto": partial(_inverse, layer, y)}
    inverses |= {name: partial(solver.solve, y) for name, solver in solvers.items()}
    times = interleaved_medians({"forward": lambda: layer(x), **inverses}, repeats)
    chosen = name_of(choose("auto", case.shape))
    return [
        Row(case, name, name == chosen, times["forward"], times[name], _error(inverse(), expected))
        for name, inverse in inverses.items()
    ]


def _inverse(layer: Bijection, y: Tensor) -> Tensor:
    return layer.inverse(y)[0]


def _plans(shape: Shape) -> list[Plan]:
    # The reference is measured where it does not take all the time there is.
    small = shape.batch * shape.size[0] <= 1600
    return [*candidates(shape), *([Plan("wavefront")] if small else [])]


def _error(x: Tensor, expected: Tensor) -> float:
    return float((x.double() - expected).abs().max())


def regret(rows: list[Row]) -> float:
    """Time of the chosen method over that of the fastest, for the rows of one case."""
    return next(row.inverse_ms for row in rows if row.chosen) / min(
        row.inverse_ms for row in rows if row.method != "auto"
    )


def timed(cases: list[list[Row]]) -> Iterator[Timed]:
    """The calibration cases, as `benchmarks.costs` fits them."""
    for rows in cases:
        if rows[0].case.calibration:
            shape = rows[0].case.shape
            plans = {name_of(plan): plan for plan in candidates(shape)}
            yield shape, {plans[r.method]: 1000 * r.inverse_ms for r in rows if r.method in plans}
