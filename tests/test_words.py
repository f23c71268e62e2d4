"""Docstrings begin with a verb or a noun; the pages have code that runs and links that lead on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("zoo", "benchmarks", "examples", "tests")
FILES = [ROOT / "hubconf.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
# A docstring that begins with one of these leaves it to the reader to find the noun.
VAGUE = {"How", "Of", "That", "Those", "What", "Where", "Which", "Whose"}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def docstrings(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield text


def vague(code: str) -> list[str]:
    """First lines of the docstrings that begin with a vague word."""
    return [
        text.splitlines()[0]
        for text in docstrings(code)
        if text.replace(",", " ").split()[0] in VAGUE
    ]


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    found = {path.relative_to(ROOT).as_posix(): vague(path.read_text()) for path in FILES}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_vague_words_are_found() -> None:
    code = (
        '"""Of a module."""\nclass A:\n    """Whether."""\n    def f():\n        """What it is."""'
    )
    assert vague(code) == ["Of a module.", "What it is."]


DOCS = [path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
PAGES = [ROOT / "README.md", *sorted(DOCS)]
OTHERS = sorted({*ROOT.glob("*.md"), *ROOT.glob("model_cards/*/README.md")} - {*PAGES})


def test_the_code_of_the_readme_runs() -> None:
    code = re.search(r"```python\n(.*?)```", PAGES[0].read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, object] = {}
    exec(code[1], names)
    assert {"flow", "images", "z"} <= set(names)


@pytest.mark.parametrize(
    "page", [*PAGES, *OTHERS], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    links = re.findall(r"\]\(((?!https?:)[^)]+)\)", page.read_text())
    assert [link for link in links if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, heading = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not heading or heading in headings(target.read_text()))


def headings(text: str) -> list[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-") for title in titles]
