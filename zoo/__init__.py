"""flowzoo: normalizing flows of images with invertible convolutions, and their exact latents.

import zoo

flow = zoo.load("finc_mnist")
z = flow.encode(images)         # uint8 (B, C, H, W) -> (B, D)
assert (flow.decode(z) == images).all()
"""

from zoo.architectures import Paper, build, list_architectures, list_presets, register_architecture
from zoo.config import FlowConfig
from zoo.data import DatasetFacts, ImageSet, list_datasets, register_dataset
from zoo.flow import Flow
from zoo.sources import list_models, load

__all__ = [
    "DatasetFacts",
    "Flow",
    "FlowConfig",
    "ImageSet",
    "Paper",
    "__version__",
    "build",
    "list_architectures",
    "list_datasets",
    "list_models",
    "list_presets",
    "load",
    "register_architecture",
    "register_dataset",
]

__version__ = "0.1.0"
