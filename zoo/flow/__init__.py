"""The flow of images: latents, density and samples."""

from zoo.flow.image_flow import Flow
from zoo.flow.mixed_sizes import Encoded, Size

__all__ = ["Encoded", "Flow", "Size"]
