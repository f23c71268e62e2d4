"""flowzoo: normalizing flows of images with invertible convolutions, and their exact latents.

import zoo

flow = zoo.load("finc_mnist")
z = flow.encode(images)         # uint8 (B, C, H, W) -> (B, D)
assert (flow.decode(z) == images).all()
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.architectures import (
        Paper,
        build,
        list_architectures,
        list_presets,
        register_architecture,
    )
    from zoo.cards.weights_entry import get_weights
    from zoo.config import FlowConfig
    from zoo.data import DatasetFacts, ImageSet, list_datasets, register_dataset
    from zoo.flow import Flow
    from zoo.latents import Directions, directions
    from zoo.pictures import read_images
    from zoo.sources import list_models, load

__version__ = "0.1.0"

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

PLACES = {
    "architectures": (
        *("Paper", "build", "list_architectures", "list_presets", "register_architecture"),
    ),
    "cards.weights_entry": ("get_weights",),
    "config": ("FlowConfig",),
    "data": ("DatasetFacts", "ImageSet", "list_datasets", "register_dataset"),
    "flow": ("Flow",),
    "latents": ("Directions", "directions"),
    "pictures": ("read_images",),
    "sources": ("list_models", "load"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for: torch takes seconds, and torch.hub loads flows without Pillow."""
    for room, names in PLACES.items():
        if name in names:
            return getattr(importlib.import_module(f"zoo.{room}"), name)
    if importlib.util.find_spec(f"zoo.{name}") is None:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return importlib.import_module(f"zoo.{name}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
