"""The card of a model's folder."""

from pathlib import Path

from zoo.cards.description import architecture, latents, summary, usage
from zoo.cards.front_matter import front_matter
from zoo.cards.markdown import join
from zoo.cards.origin import citation, files, licence, notes, provenance, training
from zoo.cards.results import results
from zoo.cards.subject import Subject
from zoo.errors import ConfigError
from zoo.files import write_atomically
from zoo.folder.record import EVALUATION
from zoo.folder.weights import CONFIG

CARD = "README.md"
SECTIONS = (
    front_matter,
    summary,
    usage,
    architecture,
    latents,
    results,
    training,
    provenance,
    notes,
    files,
    licence,
    citation,
)


def write_card(folder: Path) -> None:
    """Render the card of a model's folder into its README.md."""
    write_atomically(folder / CARD, render_card(folder).encode())


def render_card(folder: Path) -> str:
    """The card of a model's folder, as `render`."""
    return render(Subject.read(folder))


def render(subject: Subject) -> str:
    """The card of a model, with those figures that were drawn from its weights.

    Raises:
        ConfigError: If config.json or eval.json lacks what a card shows.
    """
    try:
        sections = [section(subject) for section in SECTIONS]
    except (KeyError, TypeError) as error:
        raise ConfigError(
            f"{CONFIG} or {EVALUATION} in {subject.folder} lacks what a card shows ({error!r}). "
            "Get the file again, or measure again: flowzoo evaluate."
        ) from error
    return join(*sections) + "\n"
