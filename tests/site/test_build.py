"""The site builds without network and without warnings, with every public name in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site.reference import DOCS, ROOMS, ROOT, public_names

pytest.importorskip("myst_nb")
# A build in which nothing can connect.
BUILD = """
import socket, sys
def refuse(*args): raise OSError("the build asked for the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; its notebooks are executed by another test."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", BUILD, "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-D", "nb_execution_mode=off", "-d", str(out / "doctrees"), str(DOCS), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    build = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert build.returncode == 0, build.stderr
    return out


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = [page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")]
    pages = [page for page in pages if page.parts[0] != "_build"]
    assert [page for page in pages if not (site / page).is_file()] == []


def test_every_public_name_is_in_the_reference(site: Path) -> None:
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        kinds = InventoryFile.load(file, "", lambda base, name: name)
    known = {name for objects in kinds.values() for name in objects}
    names = {f"{room}.{name}": f"zoo.{name}" for room in ROOMS for name in public_names(room)}
    names.pop("zoo.__version__")
    assert [name for name, short in names.items() if not {name, short} & known] == []
