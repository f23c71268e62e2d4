"""A model's folder: its files, read, verified and written."""

from zoo.documents import content_hash
from zoo.folder.golden import Golden, make_golden
from zoo.folder.model_folder import ModelFolder
from zoo.folder.weights import identity, is_identity

__all__ = ["Golden", "ModelFolder", "content_hash", "identity", "is_identity", "make_golden"]
