"""The flow of images: latents, density and samples."""

from zoo.flow.image_flow import Flow, Size

__all__ = ["Flow", "Size"]
