"""Two images: the path between them, and levels of one in the other."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import gradio as gr
import torch
from torch import Tensor

from zoo.app.markup import data_uri, link, picture, row, strip
from zoo.app.requests import on, on_upload
from zoo.app.shown import Shown
from zoo.app.uploads import read_upload
from zoo.errors import ArgumentError
from zoo.pictures.animation import animation


def mix_tab(shown: Shown) -> None:
    """Interpolate between two images, and swap levels of their latents."""
    images = [gr.State(), gr.State()]
    with gr.Row():
        for k, name in enumerate(("first", "second")):
            _field(shown, name, k, images[k])
    with gr.Row():
        steps = gr.Slider(3, 16, 8, step=1, label="Images of the path, both ends included")
        names = [(name, k) for k, name in enumerate(shown.levels)]
        swapped = gr.CheckboxGroup(
            names, value=[len(names) - 1], label="Levels that the second image gives to the first"
        )
    button = gr.Button("Mix", variant="primary", elem_id="mix-run")
    result = gr.HTML(elem_id="mix-result")
    on([button.click], partial(mix, shown), [*images, steps, swapped], result)


def _field(shown: Shown, name: str, k: int, image: Any) -> None:
    """A field that takes an image into a state."""
    with gr.Column():
        label = f"Drop the {name} image"
        upload = gr.File(label=label, type="filepath", height=140, elem_id=f"mix-{k}")
        view = gr.HTML(elem_id=f"mix-view-{k}")

    def take(file: str | None) -> tuple[Tensor, str]:
        pixels, _ = read_upload(file, shown.flow)
        return pixels, row(picture(pixels[0], name))

    on_upload(upload, take, [image, view])


def mix(
    shown: Shown, a: Tensor | None, b: Tensor | None, steps: float, swapped: Sequence[int]
) -> str:
    """The path from a to b (1, C, H, W), also as a GIF; and a with some levels of b."""
    if a is None or b is None:
        raise ArgumentError("mixing takes two images. Drop both first.")
    path = shown.flow.interpolate(a, b, int(steps))[0].cpu()
    gif = animation(path, scale=max(1, 112 // max(path.shape[2:])))
    pair = shown.flow.decode(swap(shown, torch.cat([a, b]), swapped))
    moving = f'<figure><img src="{data_uri(gif, "image/gif")}" alt="animation"></figure>'
    return (
        row(strip(path, "the path of the latents from the first to the second", len(path), 56))
        + row(
            moving,
            picture(pair[0], "first, with the chosen levels of the second"),
            picture(pair[1], "second, with those of the first"),
        )
        + link(gif, "mix.gif", "image/gif")
    )


def swap(shown: Shown, images: Tensor, swapped: Sequence[int]) -> Tensor:
    """Latents (2, D) of two images (2, C, H, W) that have exchanged some levels."""
    levels = shown.flow.levels(shown.flow.encode(images))
    return shown.flow.flatten([z.flip(0) if k in swapped else z for k, z in enumerate(levels)])
