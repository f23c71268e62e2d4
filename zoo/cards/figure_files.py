"""PNG files that say which weights they were drawn from."""

import io
from pathlib import Path

from PIL import Image, PngImagePlugin

from zoo.cards.gallery import DRAWS, TEMPERATURE
from zoo.cards.subject import Subject
from zoo.files import write_atomically

CAPTIONS = {
    "samples.png": f"Samples at temperature {TEMPERATURE}.",
    "reconstructions.png": "Image, decoded, difference: all of it zero.",
    "interpolation.png": "Along the great circle between two images' latents.",
    "resampling.png": f"An image, then {DRAWS} times with one level's latents drawn anew at "
    f"temperature {TEMPERATURE}: first the finest level's, last the coarsest's.",
    "architecture.png": "From image to latents: half of each level goes on.",
    "histogram.png": "Bits/dim of images of the data set and of others.",
}


def write_figure(subject: Subject, name: str, picture: Image.Image) -> None:
    """Write a picture into the model's folder with the subject's stamp among its metadata."""
    about = PngImagePlugin.PngInfo()
    for key, value in subject.stamp.items():
        about.add_text(key, value)
    data = io.BytesIO()
    picture.save(data, "PNG", pnginfo=about, optimize=True)
    write_atomically(subject.folder.path / name, data.getvalue())


def read_stamp(path: Path) -> dict[str, str]:
    """Read the stamp of a figure; it is empty for files that `write_figure` did not write."""
    try:
        with Image.open(path) as picture:
            return dict(getattr(picture, "text", {}))
    except Exception:  # Pillow's plugins raise many kinds on damaged files
        return {}


def is_current(subject: Subject, name: str) -> bool:
    """Whether a figure is there, and of the subject as it is now."""
    return read_stamp(subject.folder.path / name) == subject.stamp


def show(subject: Subject, name: str) -> str:
    """A figure in Markdown with its caption; nothing if it is not current."""
    caption = CAPTIONS[name]
    return f"![{caption}]({name})\n\n*{caption}*" if is_current(subject, name) else ""
