"""flowzoo: normalizing flows of images with invertible convolutions, and their exact latents.

import zoo

flow = zoo.load("finc_mnist")
z = flow.encode(images)         # uint8 (B, C, H, W) -> (B, D)
assert (flow.decode(z) == images).all()
"""

import importlib
from typing import TYPE_CHECKING, Any

from zoo.architectures import Paper, build, list_architectures, list_presets, register_architecture
from zoo.config import FlowConfig
from zoo.flow import Flow
from zoo.sources import list_models, load

__all__ = [
    "DatasetFacts",
    "Directions",
    "Flow",
    "FlowConfig",
    "ImageSet",
    "Paper",
    "__version__",
    "build",
    "directions",
    "list_architectures",
    "list_datasets",
    "list_models",
    "list_presets",
    "load",
    "register_architecture",
    "register_dataset",
]

if TYPE_CHECKING:
    from zoo.data import DatasetFacts, ImageSet, list_datasets, register_dataset
    from zoo.latents import Directions, directions

__version__ = "0.1.0"

OF_DATA = ("DatasetFacts", "ImageSet", "list_datasets", "register_dataset")
OF_LATENTS = ("Directions", "directions")
LATER = {**dict.fromkeys(OF_DATA, "zoo.data"), **dict.fromkeys(OF_LATENTS, "zoo.latents")}


def __getattr__(name: str) -> Any:
    """Import rooms when they are asked for: torch.hub loads flows without Pillow."""
    if name not in LATER:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(LATER[name]), name)
