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
    "Flow",
    "FlowConfig",
    "ImageSet",
    "Paper",
    "__version__",
    "build",
    "get_weights",
    "list_architectures",
    "list_datasets",
    "list_models",
    "list_presets",
    "load",
    "read_images",
    "register_architecture",
    "register_dataset",
]

if TYPE_CHECKING:
    from zoo.cards.weights_entry import get_weights
    from zoo.data import DatasetFacts, ImageSet, list_datasets, register_dataset
    from zoo.pictures import read_images

__version__ = "0.1.0"

LATER = {
    **dict.fromkeys(("DatasetFacts", "ImageSet", "list_datasets", "register_dataset"), "zoo.data"),
    "get_weights": "zoo.cards.weights_entry",
    "read_images": "zoo.pictures",
}


def __getattr__(name: str) -> Any:
    """Import what needs Pillow when it is asked for: torch.hub loads flows without it."""
    if name not in LATER:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(LATER[name]), name)
