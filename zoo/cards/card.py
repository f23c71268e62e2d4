"""The card of a model's folder."""

from zoo.cards.description import architecture, gallery, summary, usage
from zoo.cards.front_matter import front_matter
from zoo.cards.markdown import join
from zoo.cards.notebook import render_notebook
from zoo.cards.origin import citation, files, licence, notes, provenance, training
from zoo.cards.preparation import preparation
from zoo.cards.results import results
from zoo.cards.subject import Subject
from zoo.folder import ModelFolder
from zoo.folder.model_folder import CARD, NOTEBOOK

SECTIONS = (
    front_matter,
    summary,
    usage,
    preparation,
    architecture,
    gallery,
    results,
    training,
    provenance,
    notes,
    files,
    licence,
    citation,
)


def write_card(folder: ModelFolder) -> None:
    """Render the card of a model's folder into its README.md, and its notebook."""
    subject = Subject.read(folder)
    folder.write_text(CARD, render(subject))
    folder.write_text(NOTEBOOK, render_notebook(subject))


def render_card(folder: ModelFolder) -> str:
    """The card of a model's folder, as `render`."""
    return render(Subject.read(folder))


def render(subject: Subject) -> str:
    """The card of a subject, with the figures that were drawn from its weights."""
    return join(*(section(subject) for section in SECTIONS)) + "\n"
