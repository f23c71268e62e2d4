"""Exact inverses of the padded convolution: triangular solves over the pixels of an image.

An `Operator` says what to invert, `prepare` turns it into a `Solver` for one map size, by one of

    wavefront  H + W - 1 steps, one for each anti-diagonal; the papers' algorithm, the reference
    row_scan   H steps, one matrix product each
    blocked    anti-diagonals of tiles, the size of which `zoo.solvers.choice` finds
    dense      one product with the inverse of the whole operator
    fourier    one product of spectra, with the impulse response of the inverse
    sweep      one launch of a Triton kernel, which walks the anti-diagonals; on GPUs only

or by the one that `zoo.solvers.choice` expects to be the fastest. `triangular_solve` is the same
as a differentiable function.
"""

from zoo.solvers.choice import METHODS, Method, Plan, Shape, choose
from zoo.solvers.differentiable import triangular_solve
from zoo.solvers.impulse import impulse_response
from zoo.solvers.operator import CORNERS, Corner, Operator, Size, Solver
from zoo.solvers.prepare import prepare

__all__ = [
    "CORNERS",
    "METHODS",
    "Corner",
    "Method",
    "Operator",
    "Plan",
    "Shape",
    "Size",
    "Solver",
    "choose",
    "impulse_response",
    "prepare",
    "triangular_solve",
]
