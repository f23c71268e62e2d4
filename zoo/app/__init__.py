"""A page in the browser that shows exact latents at work (extra `app`)."""

from zoo.app.page import build_page, serve

__all__ = ["build_page", "serve"]
