"""Pictures and files inside HTML: nothing that a visitor sees is ever a file of the server's."""

import base64
import html
import io

from PIL import Image
from torch import Tensor

from zoo.pictures import grid, to_picture

# Pixels of the screen that the longer side of a picture takes at most, if it is to be enlarged.
SIDE, ROW = 224, 112


def picture(image: Tensor, caption: str, side: int = SIDE) -> str:
    """An image, uint8 (C, H, W), enlarged by a whole factor, over its caption."""
    return drawing(to_picture(image), caption, max(1, side // max(image.shape[1:])))


def drawing(image: Image.Image, caption: str, factor: int = 1) -> str:
    """The same of Pillow's pictures, by a factor."""
    data, said = io.BytesIO(), html.escape(caption)
    image.save(data, "PNG")
    width, height = factor * image.width, factor * image.height
    return (
        f'<figure><img src="{data_uri(data.getvalue(), "image/png")}" alt="{said}" '
        f'width="{width}" height="{height}"><figcaption>{said}</figcaption></figure>'
    )


def strip(images: Tensor, caption: str, columns: int, side: int = ROW) -> str:
    """Images uint8 (N, C, H, W) in rows of `columns`, each enlarged by a whole factor."""
    factor = max(1, side // max(images.shape[2:]))
    return drawing(to_picture(grid(images, columns, scale=factor)), caption)


def row(*figures: str) -> str:
    """Figures beside one another, as far as the screen is wide."""
    return f'<div class="figures">{"".join(figures)}</div>'


def link(data: bytes, name: str, kind: str) -> str:
    """A link that saves data as a file of this name."""
    said = html.escape(name)
    return f'<p><a href="{data_uri(data, kind)}" download="{said}">Save {said}</a></p>'


def words(text: str) -> str:
    """A paragraph."""
    return f"<p>{html.escape(text)}</p>"


def data_uri(data: bytes, kind: str) -> str:
    """Data as an address that holds all of it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


STYLE = """
.figures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
.figures figure { margin: 0; max-width: 100%; overflow-x: auto; }
.figures img { image-rendering: pixelated; max-width: none; }
.figures figcaption { font-size: 0.85rem; }
"""
