"""A model's folder on the Hugging Face Hub."""

from zoo.publish.push import push, push_all, push_flow, usage, validate

__all__ = ["push", "push_all", "push_flow", "usage", "validate"]
