"""The rooms of the house: what may import what."""

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "zoo"
# From the ground up: a room imports itself and those before it.
ROOMS = (
    *(
        "errors",
        "files",
        "devices",
        "documents",
        "solvers",
        "bijections",
        "config",
        "exact",
        "images",
        "flow",
        "pictures",
    ),
    *("architectures", "data", "folder", "sources", "latents", "evaluation", "cards", "publish"),
    *("export", "training", "tabular", "app", "cli"),
)
GROUND = ("", "__main__")  # the package itself, which is on top of all
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(module: str) -> set[str]:
    """The modules of the package that a module imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name in MODULES} - {module}


def room(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def test_no_module_imports_itself_by_way_of_others() -> None:
    # A package's own __init__ gathers its files; a file may not need it in turn.
    TopologicalSorter({module: imports(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", MODULES)
def test_no_file_imports_a_higher_room(module: str) -> None:
    if (here := room(module)) in GROUND:
        return
    allowed = ROOMS[: ROOMS.index(here) + 1]
    reached = {name for name in imports(module) if room(name) not in allowed}
    assert reached <= {"zoo"}, f"{module} is below {reached}"


def test_the_ground_floor_has_eight_files_and_the_rooms() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 8
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms | {path.stem for path in PACKAGE.glob("*.py")} == {*ROOMS, "__init__", "__main__"}


def test_no_two_files_have_one_name() -> None:
    names = Counter(path.stem for path in MODULES.values() if path.stem != "__init__")
    names.update(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    assert [name for name, count in names.items() if count > 1] == []
