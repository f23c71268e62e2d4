"""Settings of the site. `make -C docs html` builds it, without network."""

import os
import re
import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[1])
sys.path.insert(0, ROOT)
# The notebooks run this clone, its command too, by the interpreter that builds the site.
for name, place in {"PYTHONPATH": ROOT, "PATH": str(Path(sys.executable).parent)}.items():
    os.environ[name] = os.pathsep.join(filter(None, (place, os.environ.get(name))))

import zoo  # noqa: E402

# Names that are imported when they are asked for.
vars(zoo).update({name: getattr(zoo, name) for name in zoo.__all__})

project = "flowzoo"
author = project_copyright = "The flowzoo authors"
release = version = zoo.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "flowzoo"

# Headings are linked by the names that GitHub gives them.
myst_heading_anchors = 4

# Notebooks run in the build. An error in one of them ends it.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True

# Docstrings write code between single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_ivar = True
# Marks of mathematics that reStructuredText would read as its own.
MARKS = re.compile(r"``[^`]*``|`[^`]*`|(\||(?<=\s)\*(?=\w))")


def escape_marks(app, what, name, obj, options, lines: list[str]) -> None:
    """Escape bars and stars of docstrings, but not in code and not in names of arguments."""
    for i, line in enumerate(lines):
        if not re.match(r"\s*\*", line):
            lines[i] = MARKS.sub(lambda found: "\\" * bool(found[1]) + found[0], line)


def setup(app) -> None:
    """Escape before napoleon reads the docstrings."""
    app.connect("autodoc-process-docstring", escape_marks, priority=400)
