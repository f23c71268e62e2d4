"""Costs of `zoo.solvers.choice` that explain measured times of solves best."""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import nnls

from zoo.solvers import Plan, Shape
from zoo.solvers.choice import TILES, Work, work

# A problem, and the microseconds of its solve by plan.
Timed = tuple[Shape, dict[Plan, float]]


# Costs of a launch. All other costs are arithmetic, which nothing makes faster.
LAUNCHES = ("steps", "calls", "chained")


def fit(cases: Iterable[Timed], arithmetic: Work | None = None) -> Work:
    """Find non-negative costs by least squares of relative errors.

    So short solves count as much as long ones. Plans that take up to three times as long as the
    best count, with weights by how near to it they are.

    Args:
        cases: Measured problems.
        arithmetic: Costs to keep, but for those that launches are in.
    """
    works, weights = [], []
    for shape, times in cases:
        best = min(times.values())
        for plan, time in times.items():
            if time <= 3 * best:
                works.append(np.array(work(plan, shape)) * best / time**2)
                weights.append(best / time)
    a, b = np.array(works), np.array(weights)
    known = np.array(arithmetic or Work())
    free = np.array([arithmetic is None or name in LAUNCHES for name in Work._fields])
    known[free], _ = nnls(a[:, free], b - a[:, ~free] @ known[~free])
    return Work(*known.tolist())


def name_of(plan: Plan) -> str:
    """A plan as it is called in tables."""
    return f"blocked {plan.tile[0]}x{plan.tile[1]}" if plan.method == "blocked" else plan.method


PLANS = {
    name_of(plan): plan
    for plan in (
        *(Plan("blocked", tile) for tile in TILES),
        *map(Plan, ("wavefront", "row_scan", "dense", "fourier", "sweep")),
    )
}
