"""The command line for people: short lists, whole names, its own words."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

import zoo
from tests.folders import UNPUBLISHED, folder_of
from zoo.cli.common import columns
from zoo.cli.wording import WORDS, in_commands
from zoo.sources import MODELS

PACKAGE = Path(zoo.__file__).parent


# flowzoo ls and flowzoo info.


@pytest.mark.parametrize("width", ["10", "200"])
def test_ls_cuts_no_name_and_has_pretrained_models_first(run, monkeypatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    code, out, _ = run("ls")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()[1:]]
    pretrained = zoo.list_models(pretrained=True)
    assert names[: len(pretrained)] == pretrained
    assert sorted(names) == zoo.list_models()


def test_columns_stand_below_each_other() -> None:
    assert columns([("a", "bc"), ("def", "g")]) == ["a    bc", "def  g"]


def test_info_is_ten_lines(run) -> None:
    code, out, _ = run("info", "finc_mnist")
    evaluation = json.loads((folder_of("finc_mnist") / "eval.json").read_text())
    assert code == 0
    assert len(out.splitlines()) == 10
    assert f"{evaluation['bits_per_dim']:.4f} ± " in out
    assert str(MODELS["finc_mnist"].sha256) in out
    assert "1x28x28, or other sides divisible by 4" in out


def test_info_has_the_rest_as_json(run) -> None:
    code, out, _ = run("info", "cinc_mnist", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["flow"] == json.loads(json.dumps(zoo.load("cinc_mnist").config.to_dict()))
    assert found["evaluation"] == json.loads((folder_of("cinc_mnist") / "eval.json").read_text())
    assert found["certificate"]["round_trip"] < 0.5
    assert len(found["certificate"]["layers"]) > 10


def test_info_of_a_copied_folder_has_its_licence(run, tmp_path) -> None:
    copy = shutil.copytree(folder_of("glow_mnist"), tmp_path / "copy")
    _, out, _ = run("info", f"local-dir:{copy}")
    assert "apache-2.0" in out


@pytest.mark.usefixtures("unpublished")
def test_info_of_a_model_without_weights(run) -> None:
    code, out, _ = run("info", UNPUBLISHED)
    assert code == 0
    assert "none are published; these are random" in out
    assert "certificate" not in json.loads(run("info", UNPUBLISHED, "--json")[1])


# print(flow).


@pytest.mark.parametrize("name", zoo.list_models())
def test_a_printed_flow_fits_on_a_screen_and_has_its_sizes(name: str) -> None:
    flow = zoo.load(name, pretrained=False)
    lines = repr(flow).splitlines()
    assert len(lines) <= 10
    assert max(map(len, lines)) <= 120
    assert f"{sum(p.numel() for p in flow.parameters()):,}" in repr(flow)
    for channels, height, width in flow.level_shapes():
        assert f" {channels}x{height}x{width} " in repr(flow)


def test_a_printed_flow_names_its_weights() -> None:
    assert repr(zoo.load("finc_mnist")).startswith("Flow (finc_mnist), torch.float32 on cpu\n")
    assert "(random weights)" in repr(zoo.load("finc_mnist", pretrained=False))


# --size.


@pytest.mark.parametrize(("size", "shape"), [("8,16", (8, 16)), ("12", (12, 12))])
def test_a_size_is_height_and_width(run, tmp_path: Path, size: str, shape) -> None:
    path = tmp_path / "s.png"
    assert run("sample", "finc_mnist", "-n", 1, "--size", size, "-o", path)[0] == 0
    height, width = shape
    assert Image.open(path).size == (2 * (width + 2 - 1), 2 * (height + 2 - 1))


@pytest.mark.parametrize("size", ["8,8,8", "8x8", "", "-4,4", "a,b"])
def test_other_sizes_are_one_line(run, tmp_path: Path, size: str) -> None:
    code, _, err = run("sample", "finc_mnist", f"--size={size}", "-o", tmp_path / "s.png")
    assert code == 2
    assert "--size is height and width, such as 256,256" in err
    assert err.count("\n") == 1


# Errors.


@pytest.mark.usefixtures("unpublished")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "nothing"], "flowzoo ls lists all"),
        (["info", "./nothing"], "flowzoo ls lists the names"),
        (["sample", UNPUBLISHED], f"no weights of {UNPUBLISHED} are published yet"),
        (["sample", "finc_mnist", "--size", "7,7"], "--size must be H,W divisible by 4"),
    ],
)
def test_errors_are_in_the_words_of_the_command(run, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert PYTHON.search(err) is None


# Calls, keyword arguments and shapes.
PYTHON = re.compile(r"\b(?:zoo|flow|torch)\.\w+\(|\b[a-z_]+=[^=]|\(H, W\)")
# Errors that only a caller from Python can cause, or a word for what a command says itself.
OF_PYTHON = (
    "generator must be a torch.Generator",  # commands make it
    "X holds weights; pretrained=False",  # commands choose it by the source
    "latents of X x X images",  # files of latents hold the size
    "these latents are of",  # of zoo.latents
    "X is no X. zoo.load(",  # of torch.hub
    "X has another configuration than X. zoo.load(",
    "weights are saved in float32",  # of flow.save
    "the meta device holds no weights",  # of torch.device
    "celeba64: the official files",  # torchvision has them
    "directions are found among latents of zoo.latents.load",  # of zoo.directions
    "images of a list must be uint8 tensors",  # of flow.encode
    "a list of latents must be what encode made",  # of flow.decode
    "typical, the mean bits/dim",  # of flow.score
)


def errors() -> set[str]:
    """Texts of what is raised, with X for what is filled in, as the command prints them."""
    trees = (ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py")))
    raised = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Raise))
    return {text(part) for node in raised for part in ast.walk(node) if text(part)}


def text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(text, node.values))
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "X" if isinstance(node, ast.FormattedValue) else ""


def test_no_error_that_a_command_may_print_is_in_the_words_of_python() -> None:
    printed = {in_commands(error) for error in errors()}
    wrong = {error for error in printed if PYTHON.search(error)}
    whole = {error for error in wrong if not any(error in other for other in wrong - {error})}
    assert {error for error in whole if not error.startswith(OF_PYTHON)} == set()


def test_every_phrase_that_is_translated_is_said_somewhere() -> None:
    code = " ".join(
        "".join(map(text, ast.walk(ast.parse(path.read_text()))))
        for path in PACKAGE.rglob("*.py")
        if path.name != "wording.py"
    )
    assert [phrase for phrase in WORDS if phrase not in code] == []
    assert not any(PYTHON.search(command) for command in WORDS.values())
