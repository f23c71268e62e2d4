"""From an operator and a plan to a solver."""

import torch

from zoo.solvers.choice import Plan
from zoo.solvers.dense import DenseSolver
from zoo.solvers.impulse import FourierSolver
from zoo.solvers.operator import Operator, Size, Solver
from zoo.solvers.row_scan import RowSolver
from zoo.solvers.tiles import TileSolver
from zoo.solvers.wavefront import WavefrontSolver

SOLVERS: dict[str, type[WavefrontSolver | RowSolver | DenseSolver | FourierSolver]] = {
    "wavefront": WavefrontSolver,
    "row_scan": RowSolver,
    "dense": DenseSolver,
    "fourier": FourierSolver,
}


@torch.no_grad()
def prepare(operator: Operator, size: Size, dtype: torch.dtype, plan: Plan) -> Solver:
    """Precompute in float64 what depends on weights only.

    Args:
        operator: Operator to invert.
        size: (H, W) of the maps.
        dtype: Type of the maps.
        plan: From `choose`.

    Raises:
        NonFiniteError: For NaN or infinite weights.
        NotInvertibleError: If a last tap is singular.
    """
    operator = operator.checked()
    if plan.method == "blocked":
        return TileSolver.prepare(operator, size, dtype, plan.tile)
    if plan.method == "sweep":  # imported here: Triton is not everywhere
        from zoo.solvers.sweep import SweepSolver

        return SweepSolver.prepare(operator, size, dtype)
    return SOLVERS[plan.method].prepare(operator, size, dtype)
