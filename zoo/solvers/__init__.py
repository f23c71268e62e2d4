"""Exact inverses of the padded convolution: triangular solves over the pixels of an image.

All solvers share one normal form, the top-left order with G independent groups. The operator is

    y[b, g, :, h, w] = sum_ij kernel[g, :, :, i, j] @ x[b, g, :, h - (kh-1-i), w - (kw-1-j)]

with x zero outside the map. Its last tap kernel[g, :, :, -1, -1] is lower triangular with a
non-zero diagonal, so the operator is block lower triangular in raster order and invertible.
Other corners are reduced to this form by flips, see `zoo.bijections.padded_conv`.
"""

from zoo.solvers.row_scan import RowOperator, row_operator, row_scan
from zoo.solvers.wavefront import wavefront

__all__ = ["RowOperator", "row_operator", "row_scan", "wavefront"]
