"""The origin of a model on its card: training, parent, licence, citation."""

from zoo.cards.facts import GITHUB
from zoo.cards.licences import licence_of
from zoo.cards.markdown import details, fenced, join
from zoo.cards.subject import Subject
from zoo.folder.model_folder import NOTEBOOK, NOTES, RECIPE
from zoo.sources import HUB, MODELS
from zoo.sources.hub import Repository


def training(subject: Subject) -> str:
    """Its recipe and what that took, in the words of the recipe's header."""
    recipe = subject.folder.text(RECIPE)
    if recipe is None:
        return ""
    header, body = split_header(recipe)
    steps = subject.about.get("step")
    # The header tells of the run that made the zoo's weights, not of a user's with that recipe.
    cost = header if subject.published else ""
    return join(
        "## Training",
        f"{steps:,} steps." if isinstance(steps, int) else "",
        cost and fenced(cost, "text"),
        details(RECIPE, fenced(body, "yaml")),
    )


def split_header(recipe: str) -> tuple[str, str]:
    """The comment that a recipe starts with, without its marks, and the rest."""
    lines = recipe.splitlines()
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    header = [line.removeprefix("#").removeprefix(" ") for line in lines[:count]]
    return "\n".join(header), "\n".join(lines[count:])


def provenance(subject: Subject) -> str:
    """The model that it was fine-tuned from, if config.json names one."""
    parent = subject.about.get("parent")
    if parent is None:
        return ""
    return join(
        "## Provenance",
        f"Fine-tuned from `{parent['name']}`, whose weights have sha256 `{parent['sha256']}`.",
    )


def parent_repository(subject: Subject) -> str | None:
    """The repository on the Hub of the model that it was fine-tuned from, if there is one.

    Models of the zoo are where `flowzoo push --all` puts them, beside its code.
    """
    parent = subject.about.get("parent")
    if parent is None:
        return None
    name, sha256 = parent["name"], parent["sha256"]
    if name.startswith(HUB):
        return Repository.parse(name).repo_id
    ours = name in MODELS and MODELS[name].sha256 == sha256
    return f"{GITHUB.partition('/')[0]}/{name}" if ours else None


def notes(subject: Subject) -> str:
    """Notes by its authors."""
    text = subject.folder.text(NOTES)
    return join("## Notes", text.strip()) if text else ""


def files(subject: Subject) -> str:
    """The files of the folder, and the owners of the images in it."""
    dataset, pictures = subject.data, subject.about.get("pictures")
    shown = f"test images of {dataset.title} ({dataset.licence})"
    natural = f", and {f'pictures ({pictures})' if pictures else shown}"
    how = (
        "None are of its data set: `flowzoo export --include-images` puts test images there, and "
        "into the figures, where they may be passed on."
    )
    return join(
        "## Files",
        "`config.json` describes the flow, `model.safetensors` holds its weights, `eval.json` what "
        f"was measured, `{RECIPE}` what it was trained from. `{NOTEBOOK}` shows it at work. "
        "`golden.safetensors` holds images with their latents and log-density: patterns and noise"
        f"{natural if subject.golden.natural else ''}. The figures show some of these.",
        "" if subject.golden.natural else how,
    )


def licence(subject: Subject) -> str:
    """A warning if there is no licence; the front matter names one that there is."""
    if licence_of(subject) is not None:
        return ""
    return join("## Licence", "None has been chosen: ask the authors before you use these weights.")


def citation(subject: Subject) -> str:
    """BibTeX of the architecture's paper, if it has one."""
    paper = subject.architecture.paper
    return join("## Citation", fenced(paper.bibtex, "bibtex")) if paper else ""
