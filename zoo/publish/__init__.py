"""A model's folder on the Hugging Face Hub."""

from zoo.publish.push import push, push_all, push_flow, usage, validate
from zoo.publish.space import push_space

__all__ = ["push", "push_all", "push_flow", "push_space", "usage", "validate"]
