"""flowzoo: normalizing flows of images with invertible convolutions, and their exact latents.

import zoo

flow = zoo.load("finc_mnist")
z = flow.encode(images)         # uint8 (B, C, H, W) -> (B, D)
assert (flow.decode(z) == images).all()
"""

from zoo.flow import Flow
from zoo.sources.names import list_models, load

__all__ = ["Flow", "__version__", "list_models", "load"]

__version__ = "0.1.0"
