"""Images that a flow draws."""

from functools import partial

import gradio as gr
import torch

from zoo.app.markup import row, strip
from zoo.app.requests import on
from zoo.app.shown import Shown
from zoo.app.uploads import generator_of

COLUMNS, MOST = 8, 64


def sample_tab(shown: Shown) -> None:
    """A temperature for each level, a seed, and a class if the flow has some."""
    with gr.Row():
        heats = [
            gr.Slider(0, 1.5, 0.8, step=0.05, label=f"temperature of {name}")
            for name in shown.levels
        ]
    with gr.Row():
        count = gr.Slider(1, MOST, 16, step=1, label="Images")
        seed = gr.Number(0, label="Seed", precision=0, elem_id="sample-seed")
        classes = range(vars(shown.flow.config).get("classes", 0))
        label = gr.Dropdown(
            [("any", None), *((str(k), k) for k in classes)],
            label="Class",
            visible=bool(classes),
            elem_id="sample-class",
        )
    button = gr.Button("Draw", variant="primary", elem_id="sample-run")
    result = gr.HTML(elem_id="sample-result")
    on([button.click], partial(sample, shown), [count, seed, label, *heats], result)


def sample(shown: Shown, count: float, seed: float | None, label: int | None, *heats: float) -> str:
    """Images drawn at temperatures of all levels, of a class if one is chosen."""
    images = shown.flow.sample(
        int(count), temperature=torch.tensor([heats]), generator=generator_of(seed), label=label
    )
    return row(strip(images, f"{len(images)} images of seed {seed:.0f}", COLUMNS))
