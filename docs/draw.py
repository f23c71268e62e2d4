"""Draw the pictures of README.md and docs/what_a_flow_is.md: `python docs/draw.py`.

They need the weights and images of `model_cards/` alone, and matplotlib.
"""

from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

import zoo
from zoo.latents.sample_directions import sample_directions
from zoo.pictures import grid, to_picture
from zoo.sources import MODELS

FOLDER = Path(__file__).parent / "pictures"
COLOUR, GREY = "finc_cifar10", "finc_mnist"
COUNT = 8
STAMP = "weights sha256"


def shown_as_picture(z: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Latents (B, D) as uint8 images of a shape: grey is 0, black -3 and white 3."""
    return ((z.unflatten(1, shape) + 3) / 6 * 255).clamp(0, 255).to(torch.uint8)


def round_trip() -> dict[str, Tensor]:
    """Rows of images: photographs and patterns, their latents, and what these decode to."""
    flow, golden = zoo.load(COLOUR), MODELS[COLOUR].folder.golden
    natural, hard = golden.images[: golden.natural], golden.images[golden.natural :]
    images = torch.cat([natural[2:7], hard[[2, 5, 6]]])
    z = flow.encode(images)
    back = flow.decode(z)
    return {
        "images": images,
        "their latents": shown_as_picture(z, (3, 32, 32)),
        "decoded latents": back,
        "difference": (images.short() - back.short()).abs().to(torch.uint8),
    }


def samples(name: str) -> Tensor:
    """Images that a flow draws, the same for the same weights."""
    generator = torch.Generator().manual_seed(1)
    return zoo.load(name).sample(COUNT, temperature=0.7, generator=generator)


def overview() -> Figure:
    """The picture of README.md: a round trip in colour, samples, and edits of a digit."""
    flow, digits = zoo.load(GREY), MODELS[GREY].folder.golden.images
    between = flow.interpolate(digits[6:7], digits[7:8], COUNT)[0]
    width = sample_directions(flow, samples=1024)["stroke_width"]
    edited = flow.edit(digits[6:7].expand(COUNT, -1, -1, -1), width, torch.linspace(-2, 5, COUNT))
    rows = {"samples": samples(GREY), "interpolation": between, "edit: stroke width": edited}
    return labelled({**round_trip(), **rows})


def labelled(rows: dict[str, Tensor]) -> Figure:
    """Rows of images (COUNT, C, H, W), each with its name on the left."""
    figure = Figure(figsize=(7, 0.72 * len(rows)), layout="constrained")
    for axis, (name, images) in zip(figure.subplots(len(rows)), rows.items(), strict=True):
        axis.imshow(to_picture(grid(images, COUNT, scale=4)), cmap="gray", vmin=0, vmax=255)
        axis.text(-12, 66, name, ha="right", va="center", fontsize=9)
        axis.set_axis_off()
    return figure


def bell() -> Figure:
    """The picture of the concept: grey levels of digits, and latents of the same with noise."""
    golden = MODELS[GREY].folder.golden
    images, flow = golden.images[: golden.natural], zoo.load(GREY)
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        z, _ = flow((images + noise) / 256)
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    pixels, latents = figure.subplots(1, 2)
    pixels.hist(images.flatten().numpy(), 64, density=True, color="#7a9cc0")
    pixels.set(title="pixels", xlabel="grey level", yscale="log")
    latents.hist(z.flatten().numpy(), np.linspace(-4, 4, 65), density=True, color="#7a9cc0")
    x = np.linspace(-4, 4, 200)
    latents.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color="#b03030")
    latents.set(title="latents, and the normal density", xlabel="value")
    return figure


PICTURES = {"overview.png": (overview, (COLOUR, GREY)), "bell.png": (bell, (GREY,))}


def stamp(models: tuple[str, ...]) -> str:
    """Hashes of the weights that a picture was drawn from."""
    return " ".join(str(MODELS[name].sha256) for name in models)


def main() -> None:
    """Write every picture, with the hashes of its weights among its metadata."""
    for name, (draw, models) in PICTURES.items():
        draw().savefig(FOLDER / name, dpi=110, bbox_inches="tight", metadata={STAMP: stamp(models)})


if __name__ == "__main__":
    matplotlib.use("agg")
    main()
