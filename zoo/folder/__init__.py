"""A model's folder: its files, read, verified and written."""

from zoo.folder.golden import Golden, make_golden
from zoo.folder.model_folder import ModelFolder
from zoo.folder.weights import content_hash

__all__ = ["Golden", "ModelFolder", "content_hash", "make_golden"]
