"""Parts of pages that repeat the cards: pretrained flows, their table, the papers."""

from collections.abc import Callable
from pathlib import Path

from zoo.architectures import ARCHITECTURES
from zoo.cards.markdown import fenced, percent, table
from zoo.data import facts_of
from zoo.files import write_atomically
from zoo.sources import MODELS, list_models
from zoo.sources.names import Model

CLONE = Path(__file__).parents[2]


def refresh_pages() -> None:
    """Render the pages of the clone that runs again; an installed package has none."""
    if (CLONE / ".git").exists():
        for path in PAGES:
            write_atomically(CLONE / path, render_page(path).encode())


def render_page(path: str) -> str:
    """A page with its rendered parts, each between two marks that must be there once."""
    page = (CLONE / path).read_text(encoding="utf-8")
    for name, render in PAGES[path].items():
        start, end = f"<!-- {name}: flowzoo card -->", f"<!-- /{name} -->"
        before, rest = page.split(start)
        _, after = rest.split(end)
        page = f"{before}{start}\n{render()}\n{end}{after}"
    return page


def pretrained() -> str:
    """Sentences on the flows with published weights, by data set, and those without."""
    names, found = list_models(pretrained=True), dict[str, list[str]]()
    for model in sorted(map(MODELS.__getitem__, names), key=_place):
        short = model.name.replace(f"_{model.dataset}", "")
        found.setdefault(facts_of(model.dataset).title, []).append(f"`{short}`")
    sets = "\n".join(f"- {title}: {', '.join(flows)}" for title, flows in found.items())
    rest = [f"`{name}`" for name in list_models() if name not in names]
    others = f"\n\n**Without weights** yet, by a recipe only: {', '.join(rest)}." if rest else ""
    return f"**Pretrained**, by data set:\n\n{sets}{others}"


def models_table() -> str:
    """Every model with published weights, by data set."""
    heads = ("model", "data", "bits/dim (test)", "exact", "finite samples", "parameters")
    models = map(MODELS.__getitem__, list_models(pretrained=True))
    return table(heads, [_row(model) for model in sorted(models, key=_place)])


def _place(model: Model) -> tuple[str, str]:
    return model.dataset, model.name


def _row(model: Model) -> tuple[str, ...]:
    measured = model.folder.evaluation
    assert measured is not None, f"{model.name} was published without an evaluation"
    return (
        f"[`{model.name}`](model_cards/{model.name})",
        facts_of(model.dataset).title,
        f"{measured['bits_per_dim']:.3f}",
        percent(measured["exact_share"]),
        percent(measured["finite_sample_share"]),
        f"{measured['parameters']:,}",
    )


def papers() -> str:
    """BibTeX of every paper."""
    found = (architecture.paper for architecture in ARCHITECTURES.values())
    return fenced("\n".join(dict.fromkeys(paper.bibtex for paper in found if paper)), "bibtex")


PAGES: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"pretrained": pretrained, "models": models_table},
    "docs/papers.md": {"papers": papers},
}
