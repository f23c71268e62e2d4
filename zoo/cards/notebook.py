"""A notebook of a model: load, sample, encode and interpolate, in Colab or elsewhere."""

import json
from typing import Any
from urllib.parse import quote

from zoo.cards.facts import GITHUB
from zoo.cards.gallery import TEMPERATURE
from zoo.cards.subject import Subject
from zoo.folder.model_folder import NOTEBOOK

COLAB = "https://colab.research.google.com"
BADGE = f"{COLAB}/assets/colab-badge.svg"
HUGGING_FACE = "https://huggingface.co"
Cell = dict[str, Any]


def badge(subject: Subject) -> str:
    """A link that opens the notebook in Colab, in Markdown."""
    return f"[![Open in Colab]({BADGE})]({_address(subject)})"


def _address(subject: Subject) -> str:
    """Address of the notebook in Colab: of GitHub for the zoo's models, of the Hub for others."""
    if subject.published:
        return f"{COLAB}/github/{GITHUB}/blob/main/model_cards/{subject.folder.name}/{NOTEBOOK}"
    return (
        f"{COLAB}/#fileId={quote(f'{HUGGING_FACE}/{subject.repository}/blob/main/{NOTEBOOK}', '/')}"
    )


def render_notebook(subject: Subject) -> str:
    """The notebook as the text of its file."""
    document = {
        "cells": _cells(subject),
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _cells(subject: Subject) -> list[Cell]:
    return [
        _text(
            f"# {subject.folder.name}",
            "",
            f"A normalizing flow of {subject.data.title}. Every image comes back from its latents, "
            "bit for bit.",
        ),
        _code(f"%pip install -q git+https://github.com/{GITHUB}"),
        _code(
            "import torch",
            "",
            "import zoo",
            "from zoo.pictures import grid, to_picture",
            "",
            f'flow = zoo.load("{subject.source}")',
            "flow",
        ),
        _text("## Samples"),
        _code(
            f"samples = flow.sample(32, temperature={TEMPERATURE})",
            "to_picture(grid(samples, columns=8))",
        ),
        _text(
            "## Exact latents",
            "",
            "Of samples, or of your own pictures: "
            '`images = torch.stack(zoo.read_images("FOLDER", flow, fit="crop"))`.',
        ),
        _code(
            "images = samples[:8]",
            "z = flow.encode(images)",
            "assert torch.equal(flow.decode(z), images)",
            "z.shape, flow.bits_per_dim(images)",
        ),
        _text("## Between two images"),
        _code(
            "path = flow.interpolate(images[:4], images[4:], steps=8)",
            "to_picture(grid(path.flatten(0, 1), columns=8))",
        ),
    ]


def _text(*lines: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": "\n".join(lines)}


def _code(*lines: str) -> Cell:
    empty: Cell = {"execution_count": None, "metadata": {}, "outputs": []}
    return {"cell_type": "code", **empty, "source": "\n".join(lines)}
