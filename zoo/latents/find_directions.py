"""Directions in which a class or an attribute grows, found among latents of any number.

Source: CInC Flow (Nagar et al., 2021) for the formula of the paper, A^T Z.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import ArgumentError, LatentError
from zoo.flow import Flow
from zoo.folder import identity
from zoo.latents.dataset import LatentSet
from zoo.latents.direction_file import Directions
from zoo.latents.moments import batches, covariance, cross_covariance, projections

Method = Literal["least_squares", "paper"]
Label = str | int | None
# Longer latents would take more than 2 GB for their covariances.
LONGEST = 2**14


def directions(
    latents: LatentSet | Tensor,
    of: Sequence[Label] | Tensor | Mapping[str, Sequence[float] | Tensor] | None = None,
    *,
    method: Method = "least_squares",
    ridge: float = 1.0,
    flow: Flow | None = None,
) -> Directions:
    """Find one unit direction for each class or attribute.

    - "paper" is A^T Z of attributes A, centred and scaled to deviation 1, and latents Z. For a
      class it is the difference of the mean latents of the class and of the others.
    - "least_squares" predicts the attributes from the latents: (Cov(Z) + ridge I)^-1 A^T Z. It is
      the paper's formula with the latents whitened, so it leaves alone what merely goes along
      with the attribute. Its covariances take 8 D^2 bytes, those of N < D latents 8 N D.

    Latents are read in batches, shard by shard, once for each sum.

    Args:
        latents: Of `zoo.latents.load`; or a tensor (N, D), with `flow`.
        of: Labels, one for each image, with None for none; or attributes, as a dict of (N,)
            numbers by name, with NaN where an image has none. Default: the labels of the set.
        method: One of the two.
        ridge: Share of the latents' mean variance that is added to each.
        flow: Flow that made a tensor of latents of images of its own size.

    Raises:
        ArgumentError: If numbers are not one for each image, or do not vary, or for an unknown
            method; and for least squares on latents of more than 16,384 numbers.
        LatentError: If a tensor of latents does not fit the flow.
    """
    if method not in get_args(Method) or not ridge >= 0:
        raise ArgumentError(
            f"method must be least_squares or paper, and ridge 0 or more; got {method!r}, {ridge}."
        )
    sha256, model, size = _about(latents, flow)
    length = torch.Size(size).numel()
    if of is None:
        of = latents.labels if isinstance(latents, LatentSet) else []
    names, values = _values(of, len(latents))
    found = cross_covariance(latents, values, length)
    if method == "least_squares":
        found = _whitened(latents, found, ridge)
    vectors = F.normalize(found, dim=1)
    places = projections(latents, vectors)
    std = places.std(0, correction=0)
    known = values.square().sum(0)
    correlation = (places * values).sum(0) / known / std
    numbers = (vectors.float(), places.mean(0), std, correlation)
    return Directions(sha256, model, method, size, names, *numbers)


def _about(latents: LatentSet | Tensor, flow: Flow | None) -> tuple[str, str, tuple[int, int, int]]:
    """Identity and source of the flow, and (C, H, W) of the images."""
    if isinstance(latents, LatentSet):
        about = latents.about
        return about.sha256, about.model, about.image_size
    if flow is None or not isinstance(latents, Tensor):
        raise ArgumentError(
            "directions are found among latents of zoo.latents.load, or a tensor with flow=, the "
            "flow that made it."
        )
    flow.levels(latents)
    if not latents.isfinite().all():
        raise LatentError("latents hold NaN or infinity.")
    source = (flow.origin or {}).get("name", "")
    return identity(flow), source, (flow.config.channels, *flow.config.size)


def _values(of: object, count: int) -> tuple[tuple[str, ...], Tensor]:
    """Names, and values (N, K) of mean 0 and deviation 1, with 0 for those that are not known."""
    table = of if isinstance(of, Mapping) else _classes(of)
    columns = [
        torch.as_tensor(np.asarray(values), dtype=torch.float64) for values in table.values()
    ]
    if not columns or any(column.shape != (count,) for column in columns):
        shapes = sorted({tuple(column.shape) for column in columns})
        raise ArgumentError(
            f"labels or attributes must be {count} for as many latents; got {shapes or 'none'}. "
            "Where there are no labels pass attributes: zoo.latents.attributes measures some."
        )
    values = torch.stack([column.cpu() for column in columns], dim=1)
    centred = values - values.nanmean(0)
    std = centred.square().nanmean(0).sqrt()
    for name, spread in zip(table, std.tolist(), strict=True):
        if not 0 < spread < np.inf:
            raise ArgumentError(f"{name} is the same for all images, or not finite.")
    return tuple(map(str, table)), (centred / std).nan_to_num()


def _classes(labels: object) -> dict[Label, np.ndarray]:
    """1 and 0 for each class, and NaN where there is no label."""
    found = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)  # type: ignore[call-overload]
    names = sorted({label for label in found if label is not None}, key=lambda x: (str(type(x)), x))
    unknown = np.array([label is None for label in found])
    return {
        name: np.where(unknown, np.nan, np.array([label == name for label in found]))
        for name in names
    }


def _whitened(latents: LatentSet | Tensor, found: Tensor, ridge: float) -> Tensor:
    """Coefficients (K, D) of least squares, from covariances (K, D) with the attributes."""
    length = found.shape[1]
    if length > LONGEST:
        raise ArgumentError(
            f"least squares takes latents of at most {LONGEST:,} numbers; got {length:,}. "
            'method="paper" takes any.'
        )
    if len(latents) < length and ridge:
        return _whitened_by_rows(latents, found, ridge)
    spread = covariance(latents, length)
    spread.diagonal().add_(ridge * spread.diagonal().mean())
    return _solve(spread, found.T).T


def _whitened_by_rows(latents: LatentSet | Tensor, found: Tensor, ridge: float) -> Tensor:
    """The same of fewer latents than numbers in each: their products (N, N) take far less time.

    Source: Woodbury's identity for the inverse of Z^T Z / N + ridge I.
    """
    length = found.shape[1]
    rows = torch.cat([z for _, z in batches(latents, length)])
    rows = rows - rows.mean(0)
    products = rows @ rows.T
    strength = ridge * products.trace() / length  # N times what is added to each variance
    products.diagonal().add_(strength)
    return (found - _solve(products, rows @ found.T).T @ rows) * len(rows) / strength


def _solve(matrix: Tensor, right: Tensor) -> Tensor:
    """The solution of a symmetric system with several right-hand sides."""
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed:
        raise ArgumentError("there are too few latents for least squares: pass a larger ridge.")
    return torch.cholesky_solve(right, factor)
