import ast
import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import hubconf
import zoo
from tests.folders import folder_of, usage
from zoo.architectures import ARCHITECTURES
from zoo.cards.facts import GITHUB
from zoo.errors import ArgumentError, ConfigError, WeightsError

REPOSITORY = Path(__file__).parents[1]
ENTRYPOINTS = {
    name: entry
    for name, entry in vars(hubconf).items()
    if callable(entry) and not name.startswith("_")
}


def hub(name: str, **options):
    return torch.hub.load(str(REPOSITORY), name, source="local", **options)


def test_there_is_one_entrypoint_for_each_architecture_and_model() -> None:
    assert set(ENTRYPOINTS) == set(ARCHITECTURES) | set(zoo.list_models())


@pytest.mark.parametrize("name", ENTRYPOINTS)
def test_the_examples_in_the_docstrings_run(name: str, monkeypatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    (test,) = doctest.DocTestFinder(recurse=False).find(ENTRYPOINTS[name], name)
    runner = doctest.DocTestRunner()
    assert runner.run(test).failed == 0
    assert runner.tries > 1


@pytest.mark.parametrize("name", zoo.list_models(pretrained=True))
def test_a_pretrained_model_in_one_line(name: str) -> None:
    flow = hub(name, pretrained=True)
    shape = (3, flow.config.channels, *flow.config.size)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    assert torch.equal(flow.decode(flow.encode(images)), images)
    assert not flow.training


def test_architectures_take_a_name_changes_or_a_whole_config() -> None:
    flow = hub("finc", config="compact_mnist", steps=1, size=(8, 8))
    assert flow.config.steps == 1
    assert hub("finc", config=flow.config.to_dict()).config == flow.config
    for message, options in {
        "no further fields": {"config": flow.config.to_dict(), "steps": 2},
        "finc has no field 'token'": {"token": "hf_alice"},
        "config is a name or a dict of all fields; got a int": {"config": 3},
    }.items():
        with pytest.raises((ArgumentError, ConfigError), match=message):
            hub("finc", **options)
    with pytest.raises(ArgumentError, match="finc_mnist has no option size, steps; help"):
        hub("finc_mnist", steps=2, size=(8, 8))


def test_weights_of_a_folder_instead_of_the_published_ones() -> None:
    weights = f"local-dir:{REPOSITORY / 'model_cards' / 'finc_mnist'}"
    assert hub("finc_mnist", weights=weights).origin == zoo.load("finc_mnist").origin
    assert hub("finc", weights=weights).origin == zoo.load("finc_mnist").origin
    for options in ({"steps": 2}, {"config": "compact_mnist"}):
        with pytest.raises(ArgumentError, match="weights come with their config"):
            hub("finc", weights=weights, **options)
    with pytest.raises(WeightsError, match="is no cinc"):
        hub("cinc", weights=weights)
    with pytest.raises(WeightsError, match="is no cinc"):
        hub("cinc_mnist", weights=weights)


def test_every_place_names_the_same_repository_of_github() -> None:
    cards = [folder_of(name) / "README.md" for name in zoo.list_models(pretrained=True)]
    for path in (REPOSITORY / "README.md", REPOSITORY / "hubconf.py", *cards):
        named = re.findall(r'(?:hub\.load\(\s*|repository = )"(\w[^"]*)"', path.read_text())
        assert named
        assert {name for name in named if name != "."} <= {GITHUB, f"{GITHUB}:v{zoo.__version__}"}
    assert f'"{GITHUB}:v{zoo.__version__}"' in usage("hf-hub:a/b@c", folder_of("finc_mnist"))


def test_nothing_is_imported_before_an_entrypoint_is_called() -> None:
    tree = ast.parse((REPOSITORY / "hubconf.py").read_text())
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Another clone; the zoo that is imported here is of this one."""
    shutil.copy(REPOSITORY / "hubconf.py", tmp_path)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "zoo", tmp_path / "zoo", ignore=without)
    return tmp_path


def load_from(clone: Path) -> zoo.Flow:
    return torch.hub.load(str(clone), "finc", source="local", size=(8, 8), steps=1)


def test_the_same_code_may_be_imported_from_elsewhere(clone: Path) -> None:
    assert isinstance(load_from(clone), zoo.Flow)


@pytest.mark.parametrize(
    "change",
    [
        lambda package: (package / "flow.py").write_text("# another commit"),
        lambda package: (package / "solvers" / "more.py").touch(),
        lambda package: (package / "cli" / "demo.py").unlink(),
    ],
    ids=["other", "more", "less"],
)
def test_two_commits_of_one_version_do_not_share_code(clone: Path, change) -> None:
    change(clone / "zoo")
    with pytest.raises(ImportError, match="or another version of flowzoo, is imported from"):
        load_from(clone)


def test_a_foreign_package_zoo_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "__init__.py").write_text("")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import zoo, torch\n"
        f"torch.hub.load({str(REPOSITORY)!r}, 'finc', source='local')"
    )
    # As torch.hub users see it; no error of flowzoo's own can be imported there.
    environment = {
        **os.environ,
        "TORCH_HOME": str(tmp_path / "hub"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    *_, last = run.stderr.splitlines()
    assert last.startswith("ImportError: a foreign package zoo, or another version of flowzoo")
    assert last.endswith("Load it in a process that has not imported the other one.")
    assert [path.name for path in tmp_path.rglob("*")] == ["zoo", "__init__.py"]
