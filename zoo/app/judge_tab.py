"""The likelihood of an image, its scores, and where it is unlikely."""

import io
from functools import partial
from typing import Any

import gradio as gr
from PIL import Image
from torch import Tensor

from zoo.app.markup import drawing, picture, row, words
from zoo.app.requests import on_upload
from zoo.app.shown import Shown
from zoo.app.uploads import generator_of, read_upload
from zoo.cards.markdown import percent
from zoo.cards.measured import COMPLEXITY, measured_of
from zoo.cards.outlying import share_above, share_farther
from zoo.errors import require
from zoo.pictures.shades import shade


def judge_tab(shown: Shown) -> None:
    """Bits/dim and scores of an image among those of the test split, and its map."""
    upload = gr.File(label="Drop an image", type="filepath", height=140, elem_id="judge-image")
    result = gr.HTML(elem_id="judge-result")
    on_upload(upload, partial(judge, shown), [result])


def judge(shown: Shown, upload: str | None) -> str:
    """The scores of an image, the histogram with its place, and its map of likelihood."""
    flow, measured = shown.flow, measured_of(shown.folder)
    image, fitted = read_upload(upload, flow)
    score = partial(flow.score, image, generator=generator_of(0))
    bits, complexity = float(score("likelihood")), float(score("complexity"))
    said = [f"{bits:.3f} bits/dim.", f"Complexity score: {complexity:.3f}."]
    figures = [picture(image[0], "image"), *_maps(shown, image)]
    if measured is not None:
        said += _among(float(score("typicality", typical=measured["bits_per_dim"])), bits, measured)
        figures.append(_placed(measured["likelihood_histogram"], bits, "bits/dim"))
    if measured is not None and COMPLEXITY in measured:
        above = percent(share_above(measured[COMPLEXITY], complexity))
        said.append(f"About {above} have a higher complexity score.")
        figures.append(_placed(measured[COMPLEXITY], complexity, "complexity score"))
    said.append(f"The image was taken {fitted.changes}. The higher a score, the more unusual.")
    return words(" ".join(said)) + row(*figures)


def _among(typicality: float, bits: float, measured: dict[str, Any]) -> list[str]:
    """Sentences that need an evaluation."""
    histogram, mean = measured["likelihood_histogram"], measured["bits_per_dim"]
    return [
        f"Typicality score: {typicality:.3f}, against a mean of {mean:.3f}.",
        f"About {percent(share_above(histogram, bits))} of the test split's images are less "
        f"likely, and {percent(share_farther(histogram, bits, mean))} are less typical.",
    ]


def _maps(shown: Shown, image: Tensor) -> list[str]:
    """A picture of each level of the likelihood map, light where latents are unlikely."""
    maps = -shown.flow.likelihood_map(image)[0].cpu()
    return [
        picture(shade(nats[None], float(nats.min()), float(nats.max())), f"light: unlikely, {name}")
        for name, nats in zip(shown.levels, maps, strict=True)
    ]


def _placed(histogram: dict[str, Any], score: float, name: str) -> str:
    """A histogram of whole sets as a picture, with a line where the image is."""
    figure = require("zoo.cards.figures", "app").shares(histogram, name)
    figure.axes[0].axvline(score, color="black", linestyle="--")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=90)
    return drawing(Image.open(data), f"{name} of whole sets, and the image")
