"""The card of a model's folder."""

from zoo.cards.description import architecture, latents, summary, usage
from zoo.cards.front_matter import front_matter
from zoo.cards.markdown import join
from zoo.cards.origin import citation, files, licence, notes, provenance, training
from zoo.cards.results import results
from zoo.cards.subject import Subject
from zoo.errors import ConfigError
from zoo.folder import ModelFolder
from zoo.folder.model_folder import CARD, CONFIG, EVALUATION

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


def write_card(folder: ModelFolder) -> None:
    """Render the card of a model's folder into its README.md."""
    folder.write_text(CARD, render_card(folder))


def render_card(folder: ModelFolder) -> str:
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
            f"{CONFIG} or {EVALUATION} in {subject.folder.path} lacks what a card shows "
            f"({error!r}). Get the file again, or measure again: flowzoo evaluate."
        ) from error
    return join(*sections) + "\n"
