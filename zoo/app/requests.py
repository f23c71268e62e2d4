"""Requests of the page: one at a time on all flows, each failed one with its own one line."""

import html
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import gradio as gr

from zoo.errors import FlowzooError

# All requests wait in one queue: flows keep what depends on their weights, for one call at a time.
QUEUE = {"concurrency_id": "flows", "concurrency_limit": 1}


def on(
    triggers: Sequence[Any], function: Callable[..., Any], inputs: Sequence[Any], outputs: Any
) -> Any:
    """Call a function at any of the triggers; a FlowzooError of it is shown as its one line."""
    return gr.on(
        list(triggers), one_line(function), list(inputs), outputs, api_visibility="private", **QUEUE
    )


def on_upload(
    upload: Any, function: Callable[..., Any], outputs: Sequence[Any], *more: Any
) -> None:
    """Call a function with an upload and more inputs when it comes; empty its field afterwards."""
    asked = on([upload.upload], function, [upload, *more], list(outputs))
    for after in (asked.success, asked.failure):
        after(lambda: None, None, upload, queue=False, api_visibility="private")


def one_line(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with the error of the page for a FlowzooError."""

    @wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except FlowzooError as error:
            said = html.escape(" ".join(str(error).split()), quote=False)
            raise gr.Error(said, duration=None, print_exception=False) from error

    return call
