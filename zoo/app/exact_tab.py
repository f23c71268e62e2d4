"""An image, its latents by level, and the image decoded from them."""

import time
from functools import partial

import gradio as gr
from torch import Tensor

from zoo.app.markup import link, picture, row, strip, words
from zoo.app.requests import on_upload
from zoo.app.shown import Shown
from zoo.app.uploads import read_upload, taken
from zoo.cards.markdown import times
from zoo.devices import synchronize
from zoo.errors import ImageError
from zoo.folder import identity
from zoo.latents import LatentFile
from zoo.pictures import Fit, Fitted
from zoo.pictures.shades import shade

# Latents beyond so many standard deviations are black or white.
DEVIATIONS = 3.0
COLUMNS, MOST_IMAGES = 8, 64


def exact_tab(shown: Shown) -> None:
    """Encode a picture and decode it again; decode a file of latents."""
    with gr.Row():
        image = gr.File(label="Drop an image", type="filepath", height=140, elem_id="exact-image")
        fit = gr.Radio(
            [("resize it", "resize"), ("keep its size, and pad it", "pad")],
            value="resize",
            label="An image of another size",
        )
    encoded = gr.HTML(elem_id="exact-result")
    latents = gr.File(
        label="Drop a file of latents", type="filepath", height=140, elem_id="exact-latents"
    )
    decoded = gr.HTML(elem_id="exact-decoded")
    on_upload(image, partial(encode, shown), [encoded], fit)
    on_upload(latents, partial(decode, shown), [decoded])


def encode(shown: Shown, upload: str | None, fit: Fit) -> str:
    """The image, its latents, what they decode to, the difference, and the time it took."""
    image, fitted = read_upload(upload, shown.flow, fit)
    start = time.perf_counter()
    z = shown.flow.encode(image)
    synchronize()
    middle = time.perf_counter()
    back = shown.flow.decode(z, fitted.size)
    synchronize()
    seconds = time.perf_counter() - middle, middle - start
    file = LatentFile(shown.source, identity(shown.flow), [fitted], list(z.cpu()))
    return (
        _compare(image[0], back[0], seconds, fitted)
        + row(*_levels(shown, z, fitted))
        + link(file.to_bytes(), f"{fitted.name}.safetensors", "application/octet-stream")
    )


def _compare(image: Tensor, back: Tensor, seconds: tuple[float, float], fitted: Fitted) -> str:
    difference = (image.short() - back.short()).abs()
    decoding, encoding = (f"{1000 * time:.0f} ms" for time in seconds)
    return words(
        f"{int((difference > 0).sum())} of {image.numel():,} values differ, by at most "
        f"{int(difference.max())}. Encoded and verified in {encoding}, decoded in {decoding}. "
        f"The image was taken {fitted.changes}."
    ) + row(
        picture(image, "image"),
        picture(back, "decoded from its latents"),
        picture(difference.to(image.dtype), "difference"),
    )


def _levels(shown: Shown, z: Tensor, fitted: Fitted) -> list[str]:
    """A picture of each level of latents (1, D): a map for each channel."""
    parts = shown.flow.levels(z, fitted.size)
    return [
        strip(
            shade(part[0, :, None].cpu(), -DEVIATIONS, DEVIATIONS),
            f"latents of {name}: {times(part.shape[1:])}",
            columns=max(n for n in range(1, COLUMNS + 1) if part.shape[1] % n == 0),
            side=56,
        )
        for name, part in zip(shown.levels, parts, strict=True)
    ]


def decode(shown: Shown, upload: str | None) -> str:
    """The images of a file of latents."""
    flow = shown.flow
    with taken(upload) as path:
        file = LatentFile.load(path)
        file.check_model(flow)
        if len(file.images) > MOST_IMAGES:
            raise ImageError(
                f"{path} holds {len(file.images)} images; this page takes {MOST_IMAGES}. "
                "flowzoo decode takes any number."
            )
        pairs = zip(file.images, file.latents, strict=True)
        images = [
            (about, flow.decode(z[None].to(flow.device), about.size)[0]) for about, z in pairs
        ]
    return row(*(picture(about.restore(image), about.name) for about, image in images))
