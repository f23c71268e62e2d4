"""The same image back: latents that are verified to decode to it, in the precision it takes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from zoo.bijections import Bijection
from zoo.errors import NotInvertibleError
from zoo.exact.certificate import FLOAT32_LIMIT, MARGIN
from zoo.exact.keepsake import keep_pixels, kept_pixels
from zoo.exact.model import Model

ROWS = 256


def encode(flow: Model, images: Tensor) -> Tensor:
    """Latents (B, D) verified to decode to the images, each in the precision that it takes.

    float32 if that is enough for all; else float64, in which the images that float32 gives back
    still have latents of float32 numbers, and images that float64 does not give back are kept in
    the last bits of theirs, see `zoo.exact.keepsake`.
    """
    pending = torch.arange(len(images), device=images.device)
    found: list[tuple[Tensor, Tensor]] = []  # which images, and their latents
    for dtype in _precisions(flow, (images.shape[2], images.shape[3])):
        z, right = _try(flow.at(dtype), images[pending])
        if flow.agree(right) and not found:  # the only question that a GPU is waited for, as a rule
            return z
        found.append((pending[right], z[right]))
        pending, z = pending[~right], z[~right]
        if not len(pending):
            return _gather(found)
    finite = z.isfinite().all(1)
    if not finite.all():
        raise _not_finite(flow, images, pending[~finite])
    return _gather([*found, (pending, keep_pixels(z, images[pending]))])


def decode(flow: Model, z: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Decode latents (B, D), each as `encode` verified it.

    Returns:
        Decoded pixels (B, C, H, W) in [0, 1] and log|det dx/dz| (B,); of kept images the bin
        centres and 0.
    """
    dtype = torch.promote_types(z.dtype, flow.dtype)
    if dtype != torch.float64:
        return flow.at(dtype).inverse(z.to(dtype), size, trusted=True)
    z = z.double()
    kept, pixels = kept_pixels(z)
    single = holds_float32(z) & (flow.dtype != torch.float64)
    x, log_det = torch.zeros_like(z).unflatten(1, (-1, *size)), z.new_zeros(len(z))
    x[kept] = ((pixels[kept].double() + 0.5) / 256).unflatten(1, (-1, *size))
    for dtype, rows in ((torch.float32, single), (torch.float64, ~single & ~kept)):
        if rows.any():
            found, volume = flow.at(dtype).inverse(z[rows].to(dtype), size, trusted=True)
            x[rows], log_det[rows] = found.double(), volume
    return x, log_det


def holds_float32(z: Tensor) -> Tensor:
    """Find rows of latents (B, D) that hold numbers of float32 only, (B,) bool."""
    return (z == z.float()).all(1)


def precision(z: Tensor) -> dict[str, int]:
    """Count rows of latents of `encode` in "float32", in "float64", and with "kept" pixels."""
    if z.dtype == torch.float32:
        return {"float32": len(z), "float64": 0, "kept": 0}
    kept, single = int(kept_pixels(z)[0].sum()), int(holds_float32(z).sum())
    return {"float32": single, "float64": len(z) - single - kept, "kept": kept}


def round_trip_error(flow: Model, images: Tensor, z: Tensor) -> Tensor:
    """Largest distance of a decoded pixel from its bin's centre, in grey levels, (B,)."""
    x, _ = flow.inverse(z, (images.shape[2], images.shape[3]), trusted=True)
    bands = zip(x.split(ROWS, dim=2), images.split(ROWS, dim=2), strict=True)
    errors = [_distance(*band) for band in bands]  # in float64, which all of x would fill memory in
    return torch.stack(errors).amax(0)


def _distance(x: Tensor, images: Tensor) -> Tensor:
    """Largest distance of a pixel from its bin's centre, in grey levels, (B,)."""
    error = (x.double() * 256 - (images.double() + 0.5)).abs().flatten(1).amax(1)
    return error.nan_to_num(torch.inf, torch.inf)


def _precisions(flow: Model, size: tuple[int, int]) -> Sequence[torch.dtype]:
    """Precisions to encode in, in turn: not float32 where a layer alone rules it out."""
    unsafe = flow.worst_condition(size) > FLOAT32_LIMIT
    first = torch.float64 if unsafe else torch.promote_types(flow.dtype, torch.float32)
    return list(dict.fromkeys([first, torch.float64]))


def _try(model: Model, images: Tensor) -> tuple[Tensor, Tensor]:
    """Latents (B, D) in the model's precision, and which of them decode to their image (B,)."""
    try:
        z = model.encode_centres(images)
        return z, round_trip_error(model, images, z) <= MARGIN
    except NotInvertibleError:  # a layer noticed itself that it is too near to singular
        if model.dtype == torch.float64:
            raise
        nothing = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        return images.flatten(1).to(model.dtype), nothing


def _gather(found: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Latents of parts of a batch in its order, in the widest type of any that is not empty."""
    parts = [(rows, z) for rows, z in found if len(rows)]
    order = torch.cat([rows for rows, _ in parts]).argsort()
    return torch.cat([z for _, z in parts])[order]


def _not_finite(flow: Model, images: Tensor, failed: Tensor) -> NotInvertibleError:
    indices = failed.tolist()
    limits = [layer.limits() for _, layer in flow.named_bijections()]
    free = any(limit is not None and max(limit) == torch.inf for limit in limits)
    name, error = worst_layer(flow.at(torch.float64), images[failed])
    return NotInvertibleError(
        f"{len(indices)} of {len(images)} images have latents that are NaN or infinite even in "
        f"float64 (at indices {_shorten(indices)}); the worst layer is {name}, whose own round "
        f"trip errs by {error:.1g}. Load other weights, or an earlier checkpoint."
        + " Nothing bounds its couplings: shift_max does, in training."
        * free
    )


@torch.no_grad()
def worst_layer(flow: Model, images: Tensor) -> tuple[str, float]:
    """Name of the layer whose own round trip errs most on these images, and its error."""
    calls: dict[str, tuple[Bijection, Tensor, Tensor]] = {}
    hooks = [
        layer.register_forward_hook(
            lambda module, args, output, name=name: calls.update(
                {name: (module, args[0], output[0])}
            )
        )
        for name, layer in flow.named_bijections()
    ]
    try:
        flow.encode_centres(images)
    finally:
        for hook in hooks:
            hook.remove()
    errors = {name: _layer_error(*call) for name, call in calls.items()}
    name = max(errors, key=errors.__getitem__)
    return f"{name} ({type(calls[name][0]).__name__})", errors[name]


def _layer_error(layer: Bijection, x: Tensor, y: Tensor) -> float:
    error = (layer.inverse(y)[0] - x).abs().max() / x.abs().max().clamp_min(1)
    return float(error.nan_to_num(torch.inf, torch.inf))


def _shorten(indices: list[int], most: int = 8) -> str:
    more = f" and {len(indices) - most} more" if len(indices) > most else ""
    return ", ".join(map(str, indices[:most])) + more
