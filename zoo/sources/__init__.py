"""Sources of models: a name of the zoo, a folder, or the Hugging Face Hub."""

from zoo.sources.hub import HUB, Access
from zoo.sources.load import load
from zoo.sources.names import MODELS, list_models
from zoo.sources.source import LOCAL, parse

__all__ = ["HUB", "LOCAL", "MODELS", "Access", "list_models", "load", "parse"]
