"""Pages are short to read, and their code is of this version: names, options, files."""

import ast
import inspect
import re
import shlex
import statistics
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
import yaml

import zoo
from tests.site.reference import DOCS, ROOT
from zoo.cli.main import app

PROJECT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES = PROJECT + [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]
MEDIAN, MOST = 17, 27
COMMANDS = typer.main.get_command(app).commands
NOT_PROSE = (
    r"\A---\n.*?\n---\n",
    r"```.*?```",
    r"<!-- (papers|models).*?/\1 -->",
    r"^(?:    |\||#|<!--)[^\n]*$",
    r"!\[[^]]*\]\([^)]*\)",
)


def sentences(page: str) -> list[int]:
    """The number of words of each sentence, without code, tables and headings."""
    for pattern in NOT_PROSE:
        page = re.sub(pattern, "\n\n", page, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"`[^`]*`", "code", re.sub(r"\]\([^)]*\)", "]", page))
    paragraphs = re.split(r"\n\s*\n|\n(?=[-*] |\d+\. )", page)
    parts = (part for text in paragraphs for part in re.split(r"(?<=[.!?])\s+", text))
    counts = [len(re.findall(r"[\w']+", part)) for part in parts]
    return [count for count in counts if count > 1]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_sentences_are_short(page: Path) -> None:
    counts = sorted(sentences(page.read_text("utf-8")))
    if len(counts) > 5:
        assert statistics.median(counts) <= MEDIAN
        assert counts[int(0.9 * (len(counts) - 1))] <= MOST


def test_long_sentences_are_counted() -> None:
    text = "# A heading\n\nOne two three. Four `a b` [five](six.md)!\n\n```sh\nnot this\n```\n"
    assert sentences(text) == [3, 3]


def blocks(language: str) -> list[tuple[str, str]]:
    """(Page, code) of all blocks in a language, of code cells too."""
    start = rf"```(?:{language}|{{code-cell}} i{language}3)\n"
    return [
        (page.name, code)
        for page in PAGES
        for code in re.findall(rf"{start}(.*?)```", page.read_text("utf-8"), re.DOTALL)
    ]


def python_blocks() -> Iterator[tuple[str, ast.Module]]:
    for page, code in blocks("python"):
        code = re.sub(r"^(:tags|!).*$", "", code, flags=re.MULTILINE)
        yield page, ast.parse(code.replace("package = torch._inductor", "pass; torch._inductor"))


def test_methods_of_flows_in_pages_have_these_arguments() -> None:
    wrong, found = [], 0
    for page, tree in python_blocks():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            match call.func:
                case ast.Attribute(ast.Name("flow" | "tuned"), name):
                    found += 1
                    wrong += [f"{page}: {name} {why}" for why in unfit(name, call)]
    assert found > 20
    assert wrong == []


def unfit(name: str, call: ast.Call) -> Iterator[str]:
    """Reasons why a flow's method cannot be called so."""
    if not hasattr(zoo.Flow, name):
        yield "is no method"
        return
    method = inspect.getattr_static(zoo.Flow, name)
    own = [] if isinstance(method, staticmethod) else [None]
    signature = inspect.signature(getattr(zoo.Flow, name))
    options = {keyword.arg: None for keyword in call.keywords if keyword.arg}
    try:
        signature.bind(*own, *call.args, **options)
    except TypeError as error:
        yield str(error)


def test_imports_of_pages_exist() -> None:
    found = 0
    for page, tree in python_blocks():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "zoo":
                found += 1
                exec(compile(ast.Module([node], []), page, "exec"), {})
    assert found > 5


def commands() -> Iterator[tuple[str, str, list[str]]]:
    """(Page, command, options) of each `flowzoo COMMAND` in a block for the shell."""
    for page, code in blocks("sh"):
        code = code.replace("\\\n", " ").replace("-m zoo ", "flowzoo ")
        for line in re.findall(r"\bflowzoo (?!/)([^#\n]+)", code):
            words = shlex.split(re.sub(r"--plugin \S+", "", line))
            yield page, words[0], [word for word in words if re.match("-[a-z-]", word)]


def test_commands_of_pages_exist_with_their_options() -> None:
    found = list(commands())
    assert len(found) > 30
    assert [(page, name) for page, name, _ in found if name not in COMMANDS] == []
    own = [row for row in found if not row[1].startswith("train")]  # whose options are Lightning's
    wrong = [
        (page, name, word)
        for page, name, given in own
        for word in given
        if word not in options(COMMANDS[name])
    ]
    assert wrong == []


def options(command: click.Command) -> set[str]:
    opts = [[*option.opts, *option.secondary_opts] for option in command.params]
    return {"--help", *(name for names in opts for name in names)}


def test_recipes_named_in_pages_exist() -> None:
    texts = {page.name: page.read_text("utf-8") for page in PAGES}
    named = [
        (page, path) for page in texts for path in re.findall(r"recipes/[\w/]+\.yaml", texts[page])
    ]
    assert len(named) > 10
    assert [(page, path) for page, path in named if not (ROOT / path).is_file()] == []


def test_yaml_of_pages_is_yaml() -> None:
    assert all(isinstance(yaml.safe_load(code), dict) for _, code in blocks("yaml"))
