"""An image, moved along directions of its latents, with levels drawn anew."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from zoo.app.markup import picture, row
from zoo.app.requests import on, on_upload
from zoo.app.shown import Shown
from zoo.app.uploads import generator_of, read_upload
from zoo.errors import ArgumentError
from zoo.flow.edits import move

# Standard deviations from the mean that sliders reach, and their step.
REACH, STEP = 8.0, 0.1


def edit_tab(shown: Shown) -> None:
    """Sliders for directions, set from the image itself, and for levels drawn anew."""
    image, start = gr.State(), gr.State()
    upload = gr.File(label="Drop an image", type="filepath", height=140, elem_id="edit-image")
    with gr.Row():
        with gr.Column():
            gr.Markdown("Where the image lies along each direction, in standard deviations:")
            sliders = [
                gr.Slider(-REACH, REACH, 0, step=STEP, label=name, elem_id=f"edit-{name}")
                for name in shown.directions
            ]
        with gr.Column():
            names = [(name, k) for k, name in enumerate(shown.levels)]
            chosen = gr.CheckboxGroup(names, label="Draw anew", elem_id="edit-levels")
            heats = [gr.Slider(0, 1.5, 0.8, label=f"temperature of {name}") for name, _ in names]
            seed = gr.Number(0, label="Seed", precision=0)
    button = gr.Button("Edit", variant="primary", elem_id="edit-run")
    result = gr.HTML(elem_id="edit-result")

    def take(file: str | None) -> tuple[Any, ...]:
        pixels, _ = read_upload(file, shown.flow)
        places = project(shown, pixels)
        return pixels, places, row(picture(pixels[0], "before")), *places

    def change(pixels: Tensor | None, places: list[float], *numbers: Any) -> str:
        return edit(shown, pixels, places, *numbers)

    on_upload(upload, take, [image, start, result, *sliders])
    triggers = [button.click, *(slider.release for slider in [*sliders, *heats])]
    on(triggers, change, [image, start, chosen, seed, *sliders, *heats], result)


def project(shown: Shown, image: Tensor) -> list[float]:
    """Places of an image (1, C, H, W) along all directions, as sliders have them."""
    z, found = shown.flow.encode(image), shown.directions
    directions = map(found.__getitem__, found)
    places = [(float(d.position(z)[0]) - d.mean) / d.std for d in directions]
    return [round(min(max(place, -REACH), REACH), 1) for place in places]


def edit(
    shown: Shown,
    image: Tensor | None,
    start: Sequence[float],
    chosen: Sequence[int],
    seed: float | None,
    *numbers: float,
) -> str:
    """The image, and what became of it.

    Args:
        shown: The flow.
        image: uint8 (1, C, H, W).
        start: What `project` found of it.
        chosen: Numbers of the levels to draw anew.
        seed: Of these.
        *numbers: Places along all directions, then temperatures of all levels.
    """
    if image is None:
        raise ArgumentError("there is no image to edit. Drop one first.")
    flow, found = shown.flow, shown.directions
    size = (image.shape[2], image.shape[3])
    targets, heats = numbers[: len(start)], numbers[len(start) :]
    step = torch.zeros(image[0].numel(), device=flow.device)
    for name, place, target in zip(found, start, targets, strict=True):
        step += (target - place) * found[name].std * found[name].of(flow, size)
    z = move(flow.encode(image), step, 1.0 if step.any() else 0.0)
    if chosen:
        z = flow.redraw(z, chosen, temperature=torch.tensor([heats]), generator=generator_of(seed))
    return row(picture(image[0], "before"), picture(flow.decode(z)[0], "after"))
