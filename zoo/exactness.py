"""The same image back: verified encoding, and a certificate of how safe the inverse is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from zoo.bijections import Bijection
from zoo.bijections.padded_conv import CornerConv
from zoo.errors import NotInvertibleError

if TYPE_CHECKING:
    from zoo.flow import Flow

# Grey levels. Rounding needs 1/2; the rest is for kernels that round otherwise, as with another
# batch size, thread count or machine.
MARGIN = 0.25


def encode(flow: "Flow", images: Tensor) -> Tensor:
    """Latents (B, D) verified to decode to the images; float64 where float32 falls short."""
    dtypes = dict.fromkeys([flow.dtype, torch.float64])
    for dtype in dtypes:
        model = flow.at(dtype)
        z = model.encode_centres(images)
        failed = round_trip_error(model, images, z) > MARGIN
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


@dataclass(frozen=True)
class LayerCertificate:
    """What is proven of one padded convolution.

    Attributes:
        name: Path of the layer in the flow.
        kind: Its class.
        gain_bound: g; below 1 the inverse is stable at every image size.
    """

    name: str
    kind: str
    gain_bound: float


@dataclass(frozen=True)
class Certificate:
    """How safe a flow's inverse is.

    Attributes:
        layers: One entry for each padded convolution, in order; none in flows without any.
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
    def worst(self) -> LayerCertificate | None:
        """The layer of the largest gain bound; None for a flow without padded convolutions."""
        return max(self.layers, key=lambda layer: layer.gain_bound, default=None)

    @property
    def proven_stable(self) -> bool:
        """Whether every gain bound is below 1, so that the inverse is stable at any size."""
        return all(layer.gain_bound < 1 for layer in self.layers)

    def table(self) -> str:
        """A readable table, one line for each layer and the round trip last."""
        lines = [f"{'layer':<24} {'kind':<14} {'gain bound g':>12}"]
        lines += [f"{x.name:<24} {x.kind:<14} {x.gain_bound:>12.3f}" for x in self.layers]
        lines.append(
            f"round trip in {self.dtype}: at most {self.round_trip:.2g} grey levels "
            f"from the centre, over {self.images} images"
        )
        return "\n".join(lines)


@torch.no_grad()
def certify(flow: "Flow", images: Tensor | None = None) -> Certificate:
    """Gain bound of every padded convolution, and the round trip measured on images."""
    if images is None:
        images = hard_images(flow.config.channels, flow.config.size).to(flow.device)
    errors = round_trip_error(flow, images, flow.encode(images, exact=False))
    layers = tuple(
        LayerCertificate(name, type(layer).__name__, layer.gain_bound())
        for name, layer in flow.named_bijections()
        if isinstance(layer, CornerConv)
    )
    dtype = str(flow.dtype).removeprefix("torch.")
    return Certificate(layers, float(errors.max()), dtype, len(images))


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
