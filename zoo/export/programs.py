"""Programs to export: both directions of a flow, of 8-bit images and of floats."""

import gc
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from zoo.bijections.kernels import Kernel
from zoo.errors import ArgumentError
from zoo.export.freeze import freeze
from zoo.flow import Flow, Size

What = Literal["encode", "decode", "forward", "inverse"]
PROGRAMS: tuple[What, ...] = get_args(What)
BOTH: tuple[What, What] = ("encode", "decode")

# Largest sides of a program of dynamic size, in training sides, as `evaluate` measures.
LARGEST = 2


@dataclass(frozen=True)
class Shapes:
    """Shapes of the inputs of a program.

    Attributes:
        size: (H, W) of the images, of an example if they are dynamic.
        batch: Number of images; None for any number.
        dynamic: Whether H and W are free, up to `LARGEST` times the training sides. Latents then
            go by level, (B, C_l, H_l, W_l) each: flat ones do not tell the size.
    """

    size: Size
    batch: int | None
    dynamic: bool

    @classmethod
    def of(cls, flow: Flow, size: Size | Literal["dynamic"] | None, batch: object) -> "Shapes":
        """Read the arguments of `export`."""
        if batch != "dynamic" and (type(batch) is not int or batch < 1):
            raise ArgumentError(f'batch must be "dynamic" or a positive integer; got {batch!r}.')
        count = batch if isinstance(batch, int) else None
        if size == "dynamic":
            if any(isinstance(getattr(m, "kernel", None), Kernel) for m in flow.modules()):
                raise ArgumentError(
                    "the transforms of this flow's convolutions depend on the size of the images: "
                    "export it for one size, size=(H, W)."
                )
            return cls(flow.config.size, count, True)
        flow.level_shapes(size)  # checks it
        height, width = size or flow.config.size
        return cls((height, width), count, False)

    def largest(self, flow: Flow) -> Size:
        """(H, W) of the largest images."""
        height, width = flow.config.size
        return (LARGEST * height, LARGEST * width) if self.dynamic else self.size

    def takes(self, images: Tensor) -> bool:
        """Whether images (B, C, H, W) are of its size."""
        return self.dynamic or self.size == (images.shape[2], images.shape[3])

    def images(self, flow: Flow) -> tuple[int, ...]:
        """Shape of an example."""
        return (self.batch or 2, flow.config.channels, *self.size)

    def latents(self, flow: Flow) -> list[tuple[int, ...]]:
        """Shapes of an example: of the flat latents, or of those of each level."""
        batch, *shape = self.images(flow)
        if self.dynamic:
            return [(batch, *level) for level in flow.level_shapes(self.size)]
        return [(batch, math.prod(shape))]

    def dims(self, flow: Flow, *, latents: bool) -> list[dict[int, Any]]:
        """Find the free dimensions of each input."""
        free: dict[int, Any] = {} if self.batch else {0: Dim("batch")}
        if not self.dynamic:
            return [free]
        sides = {2: Dim("rows"), 3: Dim("columns")}  # of the maps of the last level
        levels = len(flow.blocks)
        halvings = range(levels - 1, -1, -1) if latents else [levels]
        return [
            {**free, **{axis: 2**n * dim if n else dim for axis, dim in sides.items()}}
            for n in halvings
        ]


class Encoder(nn.Module):
    """Images to latents: `encode`, or `forward` of floats, with log|det dz/dx|."""

    def __init__(self, flow: Flow, shapes: Shapes, *, floats: bool) -> None:
        super().__init__()
        self.flow, self.floats, self.dynamic = flow, floats, shapes.dynamic

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x = images if self.floats else (images.float() + 0.5) / 256
        levels, log_det = self.flow.to_levels(x)
        latents = levels if self.dynamic else [self.flow.flatten(levels)]
        return (*latents, log_det) if self.floats else tuple(latents)


class Decoder(nn.Module):
    """Latents to images and their pixels in [0, 1]: `decode`; or `inverse`, with log|det dx/dz|."""

    def __init__(self, flow: Flow, shapes: Shapes, *, floats: bool) -> None:
        super().__init__()
        self.flow, self.floats, self.shapes = flow, floats, shapes

    def forward(self, *latents: Tensor) -> tuple[Tensor, ...]:
        levels: Sequence[Tensor] = latents
        if not self.shapes.dynamic:
            levels = self.flow.levels(latents[0], self.shapes.size)
        x, log_det = self.flow.from_levels(levels)
        if self.floats:
            return x, log_det
        return self.flow.dequantize.inverse(x)[0].to(torch.uint8), x


def names(flow: Flow, what: What, *, dynamic: bool) -> tuple[list[str], list[str]]:
    """Names of a program's inputs and outputs."""
    latents = [f"latents_{i}" for i in range(len(flow.blocks))] if dynamic else ["latents"]
    return {
        "encode": (["images"], latents),
        "decode": (latents, ["images", "pixels"]),
        "forward": (["pixels"], [*latents, "log_det"]),
        "inverse": (latents, ["pixels", "log_det"]),
    }[what]


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's warnings of its own internals, and without collections of garbage.

    A trace makes millions of objects that stay. Looking for garbage among them takes a tenth of
    its time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collects:
            gc.enable()


@torch.no_grad()
def trace(
    flow: Flow,
    what: What,
    *,
    size: Size | Literal["dynamic"] | None = None,
    batch: int | Literal["dynamic"] = "dynamic",
) -> ExportedProgram:
    """One direction of a flow as a program of ATen operators, in float32 on the CPU.

    Everything that depends on weights only is in it as a constant, solvers too: its `.module()` may
    be compiled, saved, or given to AOTInductor.

    Args:
        flow: With final weights.
        what: "encode" (images -> latents), "decode" (latents -> images, pixels), "forward" (pixels
            -> latents, log_det) or "inverse" (latents -> pixels, log_det). Images are uint8
            (B, C, H, W), pixels the same in [0, 1], latents (B, D).
        size: (H, W); by default that of the training images. "dynamic" takes all up to twice that,
            with the latents by level.
        batch: Number of images; "dynamic" takes any.

    Raises:
        ArgumentError: For arguments out of their range, or a flow of one size only.
        ImageError: If the size is not divisible by 2^levels.
    """
    if what not in PROGRAMS:
        raise ArgumentError(f"what must be one of {', '.join(PROGRAMS)}; got {what!r}.")
    shapes = Shapes.of(flow, size, batch)
    frozen, floats = freeze(flow, shapes.largest(flow)), what in ("forward", "inverse")
    if encodes := what in ("encode", "forward"):
        dtype = torch.float32 if floats else torch.uint8
        inputs = [torch.zeros(shapes.images(flow), dtype=dtype)]
        program: nn.Module = Encoder(frozen, shapes, floats=floats)
    else:
        inputs = [torch.zeros(shape) for shape in shapes.latents(flow)]
        program = Decoder(frozen, shapes, floats=floats)
    program(*inputs)  # computes what is constant
    dims = shapes.dims(flow, latents=not encodes)
    with quiet():
        free = (dims[0],) if encodes else (tuple(dims),)
        traced = torch.export.export(program, tuple(inputs), dynamic_shapes=free, strict=False)
    traced.graph.eliminate_dead_code()  # log-dets that nobody asked for
    traced.graph_module.recompile()
    return traced
