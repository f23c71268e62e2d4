"""The release kit: one owner in one command, floors, versions, workflows, pictures."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from PIL import Image

import zoo
from tests.site.reference import DOCS, ROOT
from zoo.architectures import ARCHITECTURES

WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in (ROOT / ".github" / "workflows").glob("*.yml")
}


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib")
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def project(pyproject: dict[str, Any]) -> dict[str, Any]:
    return pyproject["project"]


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def test_no_extra_takes_another_one_under_a_condition(project: dict[str, Any]) -> None:
    """Hatchling writes the packages of that other extra without the condition."""
    extras = project["optional-dependencies"].values()
    asked = [asked for extra in extras for asked in extra if asked.startswith("flowzoo[")]
    assert asked
    assert [one for one in asked if ";" in one] == []


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tracked text of this clone, in a repository of its own."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no clone of git")
    for name in listed.stdout.splitlines():
        if Path(name).suffix in {".md", ".py", ".toml", ".cff", ".yml", ".yaml"}:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    return tmp_path


def places(folder: Path, owner: str) -> list[tuple[str, str]]:
    """Files and lines of a clone that name an owner's repository or pages."""
    pattern = re.compile(rf"^.*(?:{owner}/flowzoo|{owner}\.github\.io).*$", re.MULTILINE)
    own = {"test_release.py", "set_owner.py"}
    return [
        (path.relative_to(folder).as_posix(), line.strip())
        for path in sorted(folder.rglob("*.*"))
        if path.is_file() and ".git" not in path.parts and path.name not in own
        for line in pattern.findall(path.read_text("utf-8"))
    ]


def test_one_command_names_the_owner_everywhere(clone: Path) -> None:
    owner = re.findall(r"github\.com/([\w-]+)/flowzoo", (clone / "pyproject.toml").read_text())[0]
    before = places(clone, owner)
    assert {"pyproject.toml", "CITATION.cff", "README.md", "hubconf.py"} <= {
        name for name, _ in before
    }
    if owner != "OWNER":
        pytest.skip(f"the owner is {owner} already")
    longest = "alice-1".ljust(39, "e")
    done = set_owner(clone, longest)
    assert set(done.stdout.splitlines()) == {name for name, _ in before}
    assert places(clone, "OWNER") == []
    assert [name for name, _ in places(clone, longest)] == [name for name, _ in before]
    for check in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *check, "--no-cache", "."]
        style = subprocess.run(command, cwd=clone, capture_output=True, text=True)
        assert style.returncode == 0, style.stdout
    assert "named already" in set_owner(clone, "bob").stderr


@pytest.mark.parametrize("name", ["a/b", "né", "a--b", "-a", "a" * 40])
def test_a_name_that_is_no_account_is_refused(name: str, clone: Path) -> None:
    before = places(clone, "OWNER")
    assert "usage" in set_owner(clone, name).stderr
    assert places(clone, "OWNER") == before


def set_owner(clone: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ".github/set_owner.py", name]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True)


def test_the_citation_is_of_this_version_and_names_every_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == zoo.__version__
    papers = {found.paper.url for found in ARCHITECTURES.values() if found.paper}
    assert {reference["url"] for reference in citation["references"]} >= papers


def test_every_requirement_has_a_lowest_version(project: dict[str, Any]) -> None:
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    others = [line for group in groups for line in group if not line.startswith("flowzoo[")]
    assert [line for line in others if ">=" not in line] == []


def test_the_tests_run_on_every_python_that_is_promised(project: dict[str, Any]) -> None:
    matrix = WORKFLOWS["tests"]["jobs"]["tests"]["strategy"]["matrix"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert matrix["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"
    assert "lowest-direct" in {row["versions"] for row in matrix["include"]}


def test_workflows_install_extras_that_exist(project: dict[str, Any]) -> None:
    runs = [step.get("run", "") for flow in WORKFLOWS.values() for step in steps(flow)]
    matrix = WORKFLOWS["tests"]["jobs"]["tests"]["strategy"]["matrix"]
    extras = re.findall(r'"\.\[(\w+)\]"', "\n".join(runs))
    extras += [*matrix["extra"], *(row["extra"] for row in matrix["include"])]
    assert sum("matrix.extra" in run for run in runs) == 1
    assert set(extras) == {"test", "checks", "docs"}
    assert set(extras) <= set(project["optional-dependencies"])
    assert "make -C docs html" in runs
    assert "make -C docs html" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def test_packages_are_published_without_a_password_and_with_attestations() -> None:
    job = WORKFLOWS["release"]["jobs"]["publish"]
    assert job["permissions"]["id-token"] == "write"
    uses = [step["uses"].split("@")[0] for step in job["steps"]]
    assert {"pypa/gh-action-pypi-publish", "actions/attest-build-provenance"} <= set(uses)
    assert "password" not in str(job)
    assert all(flow["permissions"] == {"contents": "read"} for flow in WORKFLOWS.values())


def test_the_pictures_are_of_the_published_weights() -> None:
    draw = script("docs/draw.py")
    for name, (_, models) in draw.PICTURES.items():
        with Image.open(DOCS / "pictures" / name) as picture:
            assert picture.text[draw.STAMP] == draw.stamp(models), "python docs/draw.py"


def test_the_picture_of_a_round_trip_shows_one() -> None:
    rows = script("docs/draw.py").round_trip()
    assert (rows["images"] == rows["decoded latents"]).all()
    assert not rows["difference"].any()
    assert len({row.shape for row in rows.values()}) == 1
