"""A page in the browser that shows exact latents at work (extra `app`)."""

from zoo.app.page import serve

__all__ = ["serve"]
