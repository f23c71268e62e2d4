"""The pages that run: each ends without an error, within two minutes of one core."""

import os
import sys
from pathlib import Path

import pytest

from tests.site.reference import DOCS, ROOT

pytest.importorskip("myst_nb")
NOTEBOOKS = [DOCS / "start.md", *sorted((DOCS / "notebooks").glob("*.md"))]
SECONDS = 120
CLOCK = "import os; print(sum(os.times()[:4]))"  # of this process and its commands


@pytest.mark.parametrize("page", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(page: Path, monkeypatch) -> None:
    from myst_nb.core.read import read_myst_markdown_notebook
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell

    folder = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for name, value in {"PYTHONPATH": str(ROOT), "PATH": folder, "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    notebook = read_myst_markdown_notebook(page.read_text("utf-8"))
    notebook.cells.append(new_code_cell(CLOCK))
    options = {"kernel_name": "python3", "resources": {"metadata": {"path": str(page.parent)}}}
    NotebookClient(notebook, timeout=10 * SECONDS, **options).execute()
    assert float(notebook.cells[-1].outputs[0].text) < SECONDS
