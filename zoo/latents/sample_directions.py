"""Directions of attributes that need no data set: among samples of the flow itself."""

import torch

from zoo.flow import Flow
from zoo.latents.attributes import ATTRIBUTES, measure
from zoo.latents.direction_file import Directions
from zoo.latents.find_directions import LONGEST, directions

# Images decoded at a time.
BATCH = 128


def sample_directions(
    flow: Flow, *, samples: int = 512, temperature: float = 0.8, seed: int = 0
) -> Directions:
    """Find directions of attributes among samples of a flow, the same for the same seed.

    They are of what the flow makes, not of images that anybody took: real images may lie far from
    the mean. With fewer samples than latents have numbers, directions are rough.

    Args:
        flow: Of images of 1 or 3 channels.
        samples: Number of images to draw.
        temperature: Standard deviation of their latents.
        seed: Seed of the latents.

    Raises:
        ArgumentError: If an attribute is the same for all samples.
        NonFiniteError: If a sample is NaN or infinite.
    """
    generator = torch.Generator().manual_seed(seed)
    length = flow.config.channels * flow.config.size[0] * flow.config.size[1]
    z = temperature * torch.randn(samples, length, generator=generator, dtype=flow.dtype)
    images = torch.cat([flow.decode(part.to(flow.device)).cpu() for part in z.split(BATCH)])
    method = "least_squares" if length <= LONGEST else "paper"
    return directions(z, measure(images, attributes_of(flow)), method=method, flow=flow)  # type: ignore[arg-type]


def attributes_of(flow: Flow) -> list[str]:
    """Names of the attributes that the images of a flow have: strokes of grey ones, colours."""
    others = ("saturation",) if flow.config.channels == 1 else ("stroke_width", "slant")
    return [name for name in ATTRIBUTES if name not in others]
