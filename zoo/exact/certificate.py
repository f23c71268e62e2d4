"""Stability of a flow's inverse: proven of its layers, and measured of the whole."""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from zoo.bijections import Bijection

Size = tuple[int, int]

# Grey levels. Rounding needs 1/2; the rest is for kernels that round otherwise, as with another
# batch size, thread count or machine: errors of ill-conditioned images differed by up to 4.4 times.
MARGIN = 1 / 16
# Condition number of a layer beyond which rounding to float32 alone may cost a quarter of a level.
FLOAT32_LIMIT = 0.25 / 256 * 2**23


class StabilityWarning(UserWarning):
    """A layer amplifies rounding errors so much that float32 may not give an image back."""


@dataclass(frozen=True)
class LayerCertificate:
    """Proven stability of one linear layer, see `zoo.bijections.stability.Stability`.

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
    size: Size
    gain_bound: float
    gain: float
    condition: float
    g: float | None

    @property
    def unsafe(self) -> bool:
        """Whether float32 may not be enough for this layer alone."""
        return not self.condition <= FLOAT32_LIMIT


@dataclass(frozen=True)
class CouplingCertificate:
    """Limits of one coupling for any weights and any input.

    Attributes:
        name: Path of the coupling in the flow.
        kind: Its class.
        scale: The most that it stretches or shrinks a number, without a gate.
        shift: The most that it adds to a number; infinite if nothing bounds it.
    """

    name: str
    kind: str
    scale: float
    shift: float


@dataclass(frozen=True)
class Certificate:
    """Certificate of a flow's inverse.

    Attributes:
        layers: One entry for each layer that mixes numbers linearly and says how stably.
        couplings: One entry for each coupling, splits with their priors included.
        uncertified: Names of the layers that say nothing of their stability.
        amplification: The most grey levels that a pixel moves for each relative change of the
            latents, measured on the images; times 1.2e-7 it is about what float32 costs.
        amplification_at_twice: The same of images of twice the height and width.
        round_trip: Largest distance of a decoded pixel from its bin's centre, in grey levels;
            below 0.5 every image came back exactly.
        dtype: Precision of that round trip.
        images: Number of images it was measured on.
    """

    layers: tuple[LayerCertificate, ...]
    couplings: tuple[CouplingCertificate, ...]
    uncertified: tuple[str, ...]
    amplification: float
    amplification_at_twice: float
    round_trip: float
    dtype: str
    images: int

    @property
    def worst(self) -> LayerCertificate | None:
        """The layer with the largest gain; None if no layer is certified."""
        return worst_of(self.layers)

    @property
    def proven_stable(self) -> bool:
        """Whether the inverse of every linear layer is proven to be stable at any image size."""
        return not self.uncertified and all(x.gain_bound < math.inf for x in self.layers)

    def table(self) -> str:
        """A readable table: a line for each layer, then the couplings and what was measured."""
        columns = f"{'maps':>9} {'g':>9} {'bound':>9} {'gain':>9} {'condition':>9}"
        return "\n".join(
            [
                f"{'layer':<24} {'kind':<21} {columns}",
                *map(_line, self.layers),
                *self._conclusions(),
                f"amplification of the whole flow: {self.amplification:.3g}, at twice the size "
                f"{self.amplification_at_twice:.3g} grey levels for a relative change of latents",
                f"round trip in {self.dtype}: at most {self.round_trip:.2g} grey levels "
                f"from the centre, over {self.images} images",
            ]
        )

    def _conclusions(self) -> list[str]:
        """Conclusions on layers and on couplings, a line each."""
        lines = []
        if (worst := self.worst) is not None:
            lines.append(f"largest gain: {worst.gain:.3g}, of {worst.name}")
        if self.couplings:
            scale = max(coupling.scale for coupling in self.couplings)
            shift = max(coupling.shift for coupling in self.couplings)
            lines.append(
                f"{len(self.couplings)} couplings: scales within {scale:.3g}, shifts within "
                f"{shift:.3g}, whatever the image"
            )
        if self.uncertified:
            lines.append(f"not certified: {', '.join(self.uncertified)}")
        return lines


def _line(layer: LayerCertificate) -> str:
    return (
        f"{layer.name:<24} {layer.kind:<21} {'x'.join(map(str, layer.size)):>9} "
        f"{'-' if layer.g is None else format(layer.g, '.3f'):>9} {layer.gain_bound:>9.3g} "
        f"{layer.gain:>9.3g} {layer.condition:>9.3g}{'  unsafe in float32' * layer.unsafe}"
    )


def worst_of(layers: Iterable[LayerCertificate]) -> LayerCertificate | None:
    """The layer with the largest gain, if there is any."""
    return max(layers, key=lambda layer: layer.gain, default=None)


def layer_certificates(
    levels: Iterable[Iterable[Bijection]], size: Size
) -> tuple[LayerCertificate, ...]:
    """Stability of every linear layer, at a size of the images; warns of unsafe ones.

    Args:
        levels: The bijections of each level of a flow, each level with maps of half the size.
        size: (H, W) of the images.
    """
    certificates = []
    for level, layers in enumerate(levels, start=1):
        maps = (size[0] >> level, size[1] >> level)
        for layer in layers:
            if (stability := layer.stability(maps)) is not None:
                kind = type(layer).__name__
                certificates.append(LayerCertificate(layer.name, kind, maps, *stability))
    _warn_of(layer for layer in certificates if layer.unsafe)
    return tuple(certificates)


def _warn_of(unsafe: Iterable[LayerCertificate]) -> None:
    """Say once which layer is the worst, and how many are beyond float32."""
    layers = sorted(unsafe, key=lambda layer: -layer.condition)
    if not layers:
        return
    worst, others = layers[0], f", nor {len(layers) - 1} other layers" if layers[1:] else ""
    warnings.warn(
        f"{worst.name} ({worst.kind}) amplifies relative errors by up to {worst.condition:.1g} on "
        f"maps of {worst.size}: float32 may not give images back{others}.",
        StabilityWarning,
        stacklevel=4,
    )


def worst_condition(levels: Iterable[Iterable[Bijection]], size: Size) -> float:
    """The largest condition number of a layer at a size of the images; warns where unsafe.

    Layers that are proven to be safe at every size are not measured, which takes long on large
    maps.
    """
    layers = [list(level) for level in levels]
    proven = {layer: layer.proven_condition() for level in layers for layer in level}
    others = [[layer for layer in level if proven[layer] > FLOAT32_LIMIT] for level in layers]
    measured = [layer.condition for layer in layer_certificates(others, size)]
    return max([1.0, *measured, *(c for c in proven.values() if c <= FLOAT32_LIMIT)])


def uncertified(
    layers: Iterable[Bijection], certified: Iterable[LayerCertificate]
) -> tuple[str, ...]:
    """Names of the layers that spread errors, and say neither how much nor what bounds them."""
    names = {layer.name for layer in certified}
    return tuple(
        layer.name
        for layer in layers
        if not layer.elementwise and layer.limits() is None and layer.name not in names
    )


def coupling_certificates(layers: Iterable[Bijection]) -> tuple[CouplingCertificate, ...]:
    """Certify each coupling among these layers."""
    return tuple(
        CouplingCertificate(layer.name, type(layer).__name__, *limits)
        for layer in layers
        if (limits := layer.limits()) is not None
    )
