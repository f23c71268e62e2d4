"""The page, and the server of it."""

import os
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

# Before Gradio is imported: it sends nothing to anyone.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr

from zoo.app.about_tab import about_tab
from zoo.app.edit_tab import edit_tab
from zoo.app.exact_tab import exact_tab
from zoo.app.judge_tab import judge_tab
from zoo.app.markup import STYLE
from zoo.app.mix_tab import mix_tab
from zoo.app.requests import QUEUE, one_line
from zoo.app.sample_tab import sample_tab
from zoo.app.shown import Shown
from zoo.app.uploads import MOST_BYTES
from zoo.latents import Directions

TABS: dict[str, Callable[[Shown], None]] = {
    "Exact": exact_tab,
    "Edit": edit_tab,
    "Mix": mix_tab,
    "Sample": sample_tab,
    "Judge": judge_tab,
    "About": about_tab,
}
INTRO = """# flowzoo

A flow turns an image into latents, and the latents into the same image, bit for bit. Images that
you drop here are read once and removed; nothing is kept.
"""
# Uploads that no request took, seconds; and how many visitors are remembered, and may wait.
ABANDONED_S, VISITORS, WAITING = 60, 200, 64


def _build(models: Sequence[str], device: str, directions: Directions | None) -> Any:
    """The page of some flows, one shown at a time."""
    find = cache(partial(Shown, device=device, given=directions))
    find(models[0])
    page = gr.Blocks(
        title="flowzoo", analytics_enabled=False, delete_cache=(ABANDONED_S, ABANDONED_S)
    )
    with page:
        gr.Markdown(INTRO)
        model = gr.Dropdown(list(models), value=models[0], label="Flow", elem_id="model")
        gr.render(model, **QUEUE)(one_line(lambda source: _tabs(find(source))))
    return page


def _tabs(shown: Shown) -> None:
    with gr.Tabs():
        for name, build in TABS.items():
            with gr.Tab(name, elem_id=f"tab-{name.lower()}"):
                build(shown)


def serve(
    models: Sequence[str],
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    browser: bool = False,
    device: str = "auto",
    directions: Directions | None = None,
    wait: bool = True,
) -> Any:
    """Serve the page until the process is interrupted; uploads lie in a folder that goes with it.

    Args:
        models: Sources as for `zoo.load`; the first is loaded at once, others when chosen.
        host: Address to listen at; "0.0.0.0" lets others in.
        port: Port; default: the first free one from 7860 on.
        browser: Whether to open it in a browser here.
        device: Device of the flows.
        directions: Of the latents of the one flow there is; default: of attributes of samples.
        wait: False returns at once.

    Returns:
        Gradio's Blocks, with `local_url` and `close()`.

    Raises:
        FlowzooError: If the first flow cannot be loaded, or the directions are another's.
    """
    folder = tempfile.TemporaryDirectory(prefix="flowzoo-")
    os.environ["GRADIO_TEMP_DIR"] = folder.name
    page = _build(models, device, directions)
    page.folder = folder
    page.queue(max_size=WAITING, api_open=False)
    page.launch(
        server_name=host,
        server_port=port,
        inbrowser=browser,
        share=False,
        ssr_mode=False,
        quiet=True,
        footer_links=[],
        max_file_size=MOST_BYTES,
        state_session_capacity=VISITORS,
        enable_monitoring=False,
        css=STYLE,
        prevent_thread_lock=True,
    )
    print(f"flowzoo is at {page.local_url}; Ctrl+C ends it.", flush=True)
    if wait:
        page.block_thread()
    return page
