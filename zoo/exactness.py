"""The same image back: verified encoding, and a certificate of how safe the inverse is."""

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.bijections import Bijection
from zoo.errors import NotInvertibleError

if TYPE_CHECKING:
    from zoo.flow import Flow

# Grey levels. Rounding needs 1/2; the rest is for kernels that round otherwise, as with another
# batch size, thread count or machine.
MARGIN = 0.25
# Condition number of a layer beyond which rounding to float32 alone may cost that margin.
FLOAT32_LIMIT = MARGIN / 256 / torch.finfo(torch.float32).eps


def encode(flow: "Flow", images: Tensor) -> Tensor:
    """Latents (B, D) verified to decode to the images; float64 where float32 falls short."""
    unsafe = flow.worst_condition((images.shape[2], images.shape[3])) > FLOAT32_LIMIT
    first = torch.float64 if unsafe else torch.promote_types(flow.dtype, torch.float32)
    for dtype in dict.fromkeys([first, torch.float64]):
        model = flow.at(dtype)
        try:
            z = model.encode_centres(images)
            failed = round_trip_error(model, images, z) > MARGIN
        except NotInvertibleError:  # a layer noticed itself that it is too near to singular
            if dtype == torch.float64:
                raise
            continue
        if not failed.any():
            return z
    indices = failed.nonzero().flatten().tolist()
    name, error = worst_layer(model, images[failed])
    raise NotInvertibleError(
        f"{len(indices)} of {len(images)} images do not come back from their latents even in "
        f"float64 (at indices {_shorten(indices)}); the worst layer is {name}, whose own round "
        f"trip errs by {error:.1g}. Use other weights, or exact=False to encode all the same."
    )


def round_trip_error(flow: "Flow", images: Tensor, z: Tensor) -> Tensor:
    """Largest distance of a decoded pixel from its bin's centre, in grey levels, (B,)."""
    x, _ = flow.inverse(z, (images.shape[2], images.shape[3]))
    error = (x.double() * 256 - (images.double() + 0.5)).abs().flatten(1).amax(1)
    return error.nan_to_num(nan=torch.inf)


@torch.no_grad()
def worst_layer(flow: "Flow", images: Tensor) -> tuple[str, float]:
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
    return float(error.nan_to_num(nan=torch.inf))


def _shorten(indices: list[int], most: int = 8) -> str:
    more = f" and {len(indices) - most} more" if len(indices) > most else ""
    return ", ".join(map(str, indices[:most])) + more


class StabilityWarning(UserWarning):
    """A layer amplifies rounding errors so much that float32 may not give an image back."""


@dataclass(frozen=True)
class LayerCertificate:
    """What is proven of one linear layer, see `zoo.bijections.stability.Stability`.

    Attributes:
        name: Path of the layer in the flow.
        kind: Its class.
        size: (H, W) of its maps.
        gain_bound: The most that its inverse provably amplifies an error at any image size.
        gain: The most that its inverse amplifies an error at this size.
        condition: The most that its inverse amplifies a relative error.
        g: For triangular convolutions; below 1 it proves a finite bound.
    """

    name: str
    kind: str
    size: tuple[int, int]
    gain_bound: float
    gain: float
    condition: float
    g: float | None

    @property
    def unsafe(self) -> bool:
        """Whether float32 may not be enough for this layer alone."""
        return not self.condition <= FLOAT32_LIMIT


@dataclass(frozen=True)
class Certificate:
    """How safe a flow's inverse is.

    Attributes:
        layers: One entry for each layer that mixes numbers linearly, first to last.
        round_trip: Largest distance of a decoded pixel from its bin's centre, in grey levels;
            below 0.5 every image came back exactly.
        dtype: Precision of that round trip.
        images: Number of images it was measured on.
    """

    layers: tuple[LayerCertificate, ...]
    round_trip: float
    dtype: str
    images: int

    @property
    def worst(self) -> LayerCertificate:
        """The layer with the largest gain."""
        return max(self.layers, key=lambda layer: layer.gain)

    @property
    def proven_stable(self) -> bool:
        """Whether the inverse of every layer is proven to be stable at any image size."""
        return all(layer.gain_bound < math.inf for layer in self.layers)

    def table(self) -> str:
        """A readable table, one line for each layer, the worst one and the round trip last."""
        columns = f"{'maps':>9} {'g':>9} {'bound':>9} {'gain':>9} {'condition':>9}"
        lines = [
            f"{x.name:<24} {x.kind:<21} {'x'.join(map(str, x.size)):>9} "
            f"{'-' if x.g is None else format(x.g, '.3f'):>9} {x.gain_bound:>9.3g} "
            f"{x.gain:>9.3g} {x.condition:>9.3g}{'  unsafe in float32' * x.unsafe}"
            for x in self.layers
        ]
        return "\n".join(
            [
                f"{'layer':<24} {'kind':<21} {columns}",
                *lines,
                f"largest gain: {self.worst.gain:.3g}, of {self.worst.name}",
                f"round trip in {self.dtype}: at most {self.round_trip:.2g} grey levels "
                f"from the centre, over {self.images} images",
            ]
        )


@torch.no_grad()
def certify(flow: "Flow", images: Tensor | None = None) -> Certificate:
    """Stability of every linear layer, and the round trip measured on images."""
    if images is None:
        images = hard_images(flow.config.channels, flow.config.size).to(flow.device)
    layers = layer_certificates(flow, (images.shape[2], images.shape[3]))
    errors = round_trip_error(flow, images, flow.encode(images, exact=False))
    dtype = str(flow.dtype).removeprefix("torch.")
    return Certificate(layers, float(errors.max()), dtype, len(images))


@torch.no_grad()
def layer_certificates(flow: "Flow", size: tuple[int, int]) -> tuple[LayerCertificate, ...]:
    """Stability of every linear layer for images of (H, W) = size; warns of unsafe ones."""
    certificates = []
    for level, block in enumerate(flow.blocks, start=1):
        maps = (size[0] >> level, size[1] >> level)
        for layer in block.bijections:
            if (stability := layer.stability(maps)) is not None:
                name, kind = layer.name, type(layer).__name__
                certificates.append(LayerCertificate(name, kind, maps, *stability))
    for unsafe in filter(lambda layer: layer.unsafe, certificates):
        warnings.warn(
            f"{unsafe.name} ({unsafe.kind}) amplifies relative errors by up to "
            f"{unsafe.condition:.1g} on maps of {unsafe.size}: float32 may not give images back.",
            StabilityWarning,
            stacklevel=2,
        )
    return tuple(certificates)


def diagnosis(flow: "Flow", size: tuple[int, int]) -> str:
    """A sentence on the layer that is at fault when a result is not finite."""
    for name, layer in flow.named_bijections():
        if not all(parameter.isfinite().all() for parameter in layer.parameters()):
            return f"{name} ({type(layer).__name__}) holds NaN or infinite weights."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StabilityWarning)
        worst = max(layer_certificates(flow, size), key=lambda layer: layer.gain)
    return f"Of all layers {worst.name} ({worst.kind}) amplifies most, by up to {worst.gain:.1g}."


def hard_images(channels: int, size: tuple[int, int], noise: int = 16) -> Tensor:
    """Images unlike any training set, uint8 (6 + noise, C, H, W).

    Black, white, mid-grey, a checkerboard, one white pixel on black and one black on white, and
    uniform noise of a fixed seed.
    """
    height, width = size
    flat = torch.tensor([0, 255, 128], dtype=torch.uint8).view(3, 1, 1, 1)
    parity = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    dot = torch.zeros(height, width)
    dot[height // 2, width // 3] = 1
    patterns = torch.stack([parity, dot, 1 - dot]).mul(255).to(torch.uint8)[:, None]
    shape = (noise, channels, height, width)
    random = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))
    fixed = [part.expand(3, channels, height, width) for part in (flat, patterns)]
    return torch.cat([*fixed, random.to(torch.uint8)])
