"""The card of a flow, its certificate, and how to cite it."""

import re

import gradio as gr

from zoo.app.markup import data_uri
from zoo.app.requests import on
from zoo.app.shown import Shown
from zoo.architectures import find_architecture
from zoo.cards.markdown import fenced
from zoo.folder.model_folder import CARD, FIGURES

# A picture of another machine that is a link: the page asks none.
BADGE = re.compile(r"\[!\[[^\]]*\]\(https?://[^)]*\)\]\([^)]*\)\n*")


def about_tab(shown: Shown) -> None:
    """Show the card, the certificate on demand, and the paper."""
    paper = find_architecture(shown.folder.architecture).paper
    button = gr.Button("Measure the certificate", elem_id="about-run")
    table = gr.Code(label="Certificate", language=None, elem_id="about-certificate")
    gr.Markdown("## How to cite\n\n" + (fenced(paper.bibtex, "bibtex") if paper else "No paper."))
    gr.Markdown(card(shown), elem_id="about-card")
    on([button.click], lambda: shown.flow.certify().table(), [], table)


def card(shown: Shown) -> str:
    """The card without its front matter, its figures inside it."""
    text = shown.folder.text(CARD) or "This flow has no card."
    _, _, body = text.split("---\n", 2) if text.startswith("---\n") else ("", "", text)
    body = BADGE.sub("", body)
    return re.sub(r"\]\((\w+\.png)\)", lambda match: _inside(shown, match[1]), body)


def _inside(shown: Shown, name: str) -> str:
    path = shown.folder.path / name
    known = name in FIGURES and path.is_file()
    return f"]({data_uri(path.read_bytes(), 'image/png') if known else name})"
