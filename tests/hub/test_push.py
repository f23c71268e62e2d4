"""Publishing on the Hub, with the real client against a server on this machine."""

import json
import re
import shlex
import shutil
from functools import partial
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

import zoo
from tests.folders import save_folder, save_golden, write_card
from tests.hub.client import REPOSITORY, Outcome
from tests.hub.conftest import PATHS, SHA256, Machine
from tests.hub.server import Hub, fail, nothing
from tests.test_flow import explode, tiny
from tests.test_weights import edit_config, flip_byte, tamper
from zoo.cards.facts import GITHUB
from zoo.folder import content_hash, make_golden
from zoo.sources import MODELS

ALICE = {name: {"HF_TOKEN": "hf_alice", **path} for name, path in PATHS.items()}
LFS = ALICE["lfs"]
every_path = pytest.mark.parametrize("environment", ALICE.values(), ids=ALICE)


@pytest.fixture
def folder(folder: Path) -> Path:
    """A tiny flow's folder with golden tensors and a card."""
    save_golden(make_golden(tiny()), folder)
    write_card(folder)
    return folder


def push(machine: Machine, folder: Path | str, *options: str, **environment: str):
    return machine.command(
        "push", f"local-dir:{folder}", "--repo-id", "alice/flow", *options, **(environment or LFS)
    )


def head(hub: Hub, name: str = "alice/flow", ref: str = "heads/main") -> str:
    return hub.repos[name].refs[ref]


def paste(machine: Machine, code: str, before: str = "") -> str:
    """Run what users are shown, flowzoo taken from this clone; the hash of the flow's weights."""
    github = re.compile(f'"{GITHUB}(:v{zoo.__version__})?"')
    code = github.sub(repr(str(REPOSITORY)), code).replace("trust_repo=True", "source='local'")
    outcome = machine.run(
        f"import torch, zoo; from zoo.folder import content_hash\n{before}\n{code}\n"
        "value = content_hash(flow.state_dict())"
    )
    assert outcome.value is not None, outcome.output
    return outcome.value


def run_command(machine: Machine, line: str) -> None:
    command, *arguments = shlex.split(line)
    assert command == "flowzoo"
    outcome = machine.command(*arguments)
    assert outcome.message == "0", outcome.output


@every_path
def test_a_pushed_folder_loads_elsewhere(machine, hub, folder, environment, elsewhere) -> None:
    outcome = push(machine, folder, "--tag", "v0.1.0", **environment)
    assert outcome.message == "0", outcome.output
    pinned = f"hf-hub:alice/flow@{head(hub)}"
    from_github, from_package, command = lines = outcome.output.splitlines()[-3:]
    assert lines == [
        f'torch.hub.load("{GITHUB}:v{zoo.__version__}", "finc", weights="{pinned}", '
        "trust_repo=True)",
        f'zoo.load("{pinned}")',
        f"flowzoo sample {pinned}",
    ]
    assert head(hub) == head(hub, ref="tags/v0.1.0")
    files = hub.repos["alice/flow"].commits[head(hub)]
    assert set(files) == {".gitattributes", *(path.name for path in folder.iterdir())}
    through_xet = any("xet-write-token" in request.path for request in hub.requests)
    assert through_xet == ("HF_HUB_DISABLE_XET" not in environment)
    # What was printed, on another machine.
    for line in (from_github, from_package):
        assert paste(elsewhere, f"flow = {line}") == SHA256
    assert elsewhere.left() == {"config.json", "model.safetensors"}
    assert through_xet == any("xet-read-token" in request.path for request in hub.requests)
    run_command(elsewhere, command)
    assert (elsewhere.folder / "samples.png").is_file()
    # And with the Hub's own tools.
    outcome = elsewhere.run(
        "import zoo; from huggingface_hub import snapshot_download\n"
        "folder = snapshot_download('alice/flow', revision='v0.1.0')\n"
        "value = zoo.load(f'local-dir:{folder}').origin['sha256']"
    )
    assert outcome.value == SHA256, outcome.output


def read_card(hub: Hub, name: str) -> str:
    """The card of a repository, as it is on main."""
    return hub.objects[hub.repos[name].commits[head(hub, name)]["README.md"].oid].decode()


def test_the_lines_of_a_pushed_card_work(machine, hub, folder, elsewhere) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    push(machine, folder)
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    card = read_card(hub, "alice/flow")
    assert "hf-hub:OWNER" in before["README.md"].decode()
    assert "hf-hub:OWNER" not in card
    images = "images = torch.zeros(2, 1, 8, 12, dtype=torch.uint8)"
    Image.new("L", (12, 8)).save(elsewhere.folder / "image.png")
    for code in re.findall("```python\n(.*?)```", card, re.DOTALL):
        assert paste(elsewhere, code, images) == SHA256
    (commands,) = re.findall("```sh\n(.*?)```", card, re.DOTALL)
    for line in commands.splitlines():
        run_command(elsewhere, line)
    assert (elsewhere.folder / "decoded" / "image.png").is_file()


@every_path
def test_pushing_the_same_again_makes_no_commit(machine, hub, folder, environment) -> None:
    first, again = (push(machine, folder, "--tag", "v1", **environment) for _ in range(2))
    assert again.message == "0"
    assert again.output.splitlines()[-3:] == first.output.splitlines()[-3:]
    assert len(hub.repos["alice/flow"].commits) == 2  # the first is the Hub's


@pytest.mark.parametrize(
    ("path", "route"),
    [("lfs", "upload"), ("lfs", "commit"), ("xet", "xet_token"), ("xet", "commit")],
)
def test_an_interrupted_push_is_run_again(machine, hub, folder, path, route) -> None:
    # hf_xet itself asks again for minutes after an error that may pass.
    hub.before[route] = partial(fail, 400) if route == "xet_token" else fail
    outcome = push(machine, folder, **ALICE[path])
    assert outcome.message == "2"
    (line,) = errors(outcome)
    assert line.startswith("flowzoo: the upload of alice/flow@main did not come through")
    assert set(hub.repos["alice/flow"].commits[head(hub)]) == {".gitattributes"}
    hub.before.clear()
    assert push(machine, folder, **ALICE[path]).message == "0"
    assert machine.load(f"hf-hub:alice/flow@{head(hub)}").value == SHA256


def test_a_push_that_lacks_only_its_tag_is_run_again(machine, hub, folder) -> None:
    hub.before["tag"] = fail
    assert push(machine, folder, "--tag", "v1").message == "2"
    commit = head(hub)
    hub.before.clear()
    assert push(machine, folder, "--tag", "v1").message == "0"
    assert head(hub) == head(hub, ref="tags/v1") == commit


def theirs(hub: Hub) -> None:
    """Somebody else pushes."""
    hub.after_commit = nothing
    hub.publish("alice/flow", {"theirs.txt": b""})


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("before", "A commit has happened since"),
        ("after", "somebody else pushed to alice/flow@main"),
    ],
)
def test_somebody_else_pushes_just_then(machine, hub, folder, when, message) -> None:
    if when == "before":
        hub.before["commit"] = lambda: theirs(hub)
    else:
        hub.after_commit = lambda: theirs(hub)
    outcome = push(machine, folder, "--tag", "v1")
    assert outcome.message == "2"
    (line,) = errors(outcome)
    assert message in line
    assert set(hub.repos["alice/flow"].commits[head(hub)]) == {"theirs.txt"}
    assert "tags/v1" not in hub.repos["alice/flow"].refs
    hub.before.clear()
    assert push(machine, folder, "--tag", "v1").message == "0"
    assert {"theirs.txt", "model.safetensors"} <= set(hub.repos["alice/flow"].commits[head(hub)])


def errors(outcome: Outcome) -> list[str]:
    return [line for line in outcome.output.splitlines() if line.startswith("flowzoo:")]


def test_only_a_model_s_files_are_uploaded_and_deleted(machine, hub, folder) -> None:
    theirs = dict.fromkeys(("eval.json", "notes.md", "recipe.yaml", "samples.png"), b"{}")
    hub.publish("alice/flow", {**theirs, "notes.txt": b"mine"})
    for name in ("notes.md", "last.ckpt", ".env", "figures/more.png"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("# mine")
    write_card(folder)
    assert push(machine, folder).message == "0"
    files = hub.repos["alice/flow"].commits[head(hub)]
    written = {"README.md", "notebook.ipynb", "config.json"}
    model = {*written, "model.safetensors", "golden.safetensors", "notes.md"}
    assert set(files) == {*model, "notes.txt"}
    assert hub.objects[files["notes.md"].oid] == b"# mine"


def test_a_private_branch(machine, hub, folder) -> None:
    assert push(machine, folder, "--private", "--revision", "next").message == "0"
    repo = hub.repos["alice/flow"]
    assert repo.private
    assert "model.safetensors" in repo.commits[repo.refs["heads/next"]]
    assert "model.safetensors" not in repo.commits[repo.refs["heads/main"]]


# A smaller zoo: all of their hard images are encoded before they are published.
SMALL_ZOO = """
import sys, zoo.cli
from zoo.sources import MODELS
for name in [*MODELS]:
    if MODELS[name].dataset != "mnist" and name != "glow_cifar10":
        del MODELS[name]
sys.argv = ["flowzoo", "push", "--all", "--owner", "alice"]
zoo.cli.main()
"""


def test_the_whole_zoo_and_its_index(machine, hub) -> None:
    outcome = machine.run(SMALL_ZOO, **LFS)
    assert outcome.message == "0", outcome.output
    pretrained = zoo.list_models(pretrained=True)
    names = [n for n in pretrained if MODELS[n].dataset == "mnist" or n == "glow_cifar10"]
    assert set(hub.repos) == {f"alice/{name}" for name in (*names, "flowzoo")}
    index = hub.repos["alice/flowzoo"].commits[head(hub, "alice/flowzoo")]["README.md"]
    card = hub.objects[index.oid].decode()
    assert ModelCard(card).data.library_name == "flowzoo"
    for name in names:
        line = f'zoo.load("hf-hub:alice/{name}@{head(hub, f"alice/{name}")}")'
        assert line in outcome.output
        assert line in card
    (name, *_) = names
    assert machine.load(f"hf-hub:alice/{name}").value == content_hash(zoo.load(name).state_dict())


# What is not published.


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: flip_byte(f / "model.safetensors"), "announced"),
        (lambda f: tamper(f, lambda t: t.popitem()), "lacks 1 tensors"),
        (lambda f: (f / "golden.safetensors").unlink(), "golden.safetensors is missing"),
        (
            lambda f: save_golden(make_golden(tiny(seed=1)), f),
            "does not reproduce golden.safetensors",
        ),
        (lambda f: (f / "eval.json").write_text("{}"), "eval.json is of other weights"),
        (lambda f: (f / "README.md").unlink(), "README.md is not the card of these files"),
        (lambda f: edit_config(f, dataset="mnist"), "README.md is not the card of these files"),
        (shutil.rmtree, "there is no config.json"),
    ],
    ids=[
        "hash",
        "tensors",
        "no golden",
        "golden",
        "evaluation",
        "no card",
        "stale card",
        "nothing",
    ],
)
def test_only_what_is_right_is_published(run, folder, damage, message) -> None:
    damage(folder)
    code, _, error = run("push", f"local-dir:{folder}", "--repo-id", "alice/flow")
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


def test_weights_that_do_not_invert_are_not_published(machine, hub, tmp_path) -> None:
    save_folder(explode(tiny(gain_max=None), 50.0), tmp_path, {"name": "tiny", "dataset": "digits"})
    save_golden(make_golden(explode(tiny(gain_max=None), 50.0)), tmp_path)
    write_card(tmp_path)
    outcome = push(machine, tmp_path)
    assert outcome.message == "2"
    (line,) = errors(outcome)
    assert "8 of 8 images do not come back" in line
    outcome = machine.run(
        f"import zoo\nflow = zoo.load('local-dir:{tmp_path}')\n"
        "flow.push_to_hub('alice/flow', dataset='digits', token='hf_alice')"
    )
    assert outcome.error == "NotInvertibleError"
    assert "8 of 8 images do not come back" in outcome.message
    assert "\n" not in outcome.message
    assert hub.requests == []


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["alice/flow"], {}, "wants a token for alice/flow (HTTP 401)"),
        (["alice/flow"], {"HF_TOKEN": "hf_bob"}, "refuses the token for alice/flow (HTTP 403)"),
        (["alice/flow"], {"HF_TOKEN": "hf_eve"}, "refuses the token for alice/flow (HTTP 401)"),
        (["alice/flow"], {**LFS, "HF_HUB_OFFLINE": "1"}, "the upload of alice/flow@main did not"),
        (["../flow"], LFS, "names no repository of the Hub"),
        (["alice/public", "--private"], LFS, "alice/public is public. Make it private"),
    ],
)
def test_what_the_hub_does_not_take(machine, hub, folder, arguments, environment, message) -> None:
    hub.publish("alice/public", {"README.md": b"#"})
    outcome = machine.command("push", f"local-dir:{folder}", "--repo-id", *arguments, **environment)
    assert outcome.message == "2"
    (line,) = errors(outcome)
    assert message in line
    assert "hf_" not in line
    assert set(hub.repos) == {"alice/public"}
    assert len(hub.repos["alice/public"].commits) == 1


def test_a_tag_is_never_moved(machine, hub, folder) -> None:
    push(machine, folder, "--tag", "v1")
    before, stored = head(hub), set(hub.objects)
    save_folder(tiny(seed=1), folder, {"name": "tiny", "dataset": "digits"})
    save_golden(make_golden(tiny(seed=1)), folder)
    write_card(folder)
    outcome = push(machine, folder, "--tag", "v1")
    assert outcome.message == "2"
    (line,) = errors(outcome)
    assert f"tag v1 of alice/flow is commit {before} already" in line
    assert head(hub) == head(hub, ref="tags/v1") == before
    assert set(hub.objects) == stored, "nothing was uploaded"
    # Nor to another commit with the same content.
    hub.publish("alice/flow", {"README.md": b"#"})
    assert push(machine, folder).message == "0"
    assert push(machine, folder, "--tag", "v1").message == "2"
    assert head(hub, ref="tags/v1") == before


@pytest.mark.parametrize(
    "arguments", [[], ["finc_mnist"], ["--all"], ["x", "--all", "--owner", "a"]]
)
def test_push_says_what_it_needs(run, arguments) -> None:
    code, _, error = run("push", *arguments)
    assert code == 2
    assert "pass NAME and --repo-id, or --all and --owner" in error


# A user's own flow.


def test_a_fine_tuned_flow_keeps_its_parent(machine, hub, folder) -> None:
    parent = hub.publish_folder("alice/parent", folder)
    outcome = machine.run(
        f"import torch, zoo; flow = zoo.load('hf-hub:alice/parent@{parent}').train()\n"
        "torch.manual_seed(0)\n"
        "for parameter in flow.parameters(): parameter.data += 1e-3 * torch.randn_like(parameter)\n"
        "value = flow.push_to_hub(\n"
        "    'alice/tuned', dataset='digits', license='mit', token='hf_alice'\n"
        ")\n"
        "assert flow.training"
    )
    assert outcome.value == f"hf-hub:alice/tuned@{head(hub, 'alice/tuned')}", outcome.output
    loaded = machine.run(
        f"from zoo.sources import parse\nvalue = parse({outcome.value!r}).folder().config"
    )
    assert loaded.value["name"] == "tuned"
    assert loaded.value["license"] == "mit"
    assert loaded.value["parent"].pop("identity").startswith("v2:")
    assert loaded.value["parent"] == {
        "name": f"hf-hub:alice/parent@{parent}",
        "sha256": json.loads((folder / "config.json").read_text())["sha256"],
    }
    info = machine.command("info", "--json", outcome.value)
    assert f'"name": "hf-hub:alice/parent@{parent}"' in info.output


def test_a_flow_that_was_not_changed_has_no_parent(machine, hub) -> None:
    outcome = machine.run(
        "import zoo; flow = zoo.load('finc_mnist')\n"
        "pushed = flow.push_to_hub('alice/copy', dataset='mnist', token='hf_alice')\n"
        "from zoo.sources import parse\n"
        "value = parse(pushed).folder().config"
    )
    assert "parent" not in outcome.value
    assert outcome.value["sha256"] == zoo.load("finc_mnist").origin["sha256"]


def test_a_flow_that_was_not_changed_keeps_what_was_said_of_it(machine, tmp_path) -> None:
    parent = {"name": "finc_mnist", "sha256": "0" * 64}
    about = {"license": "mit", "grey_levels": 32, "parent": parent}
    save_folder(tiny(), tmp_path, {"name": "tiny", "dataset": "digits", **about})
    outcome = machine.run(
        f"import zoo; flow = zoo.load('local-dir:{tmp_path}')\n"
        "pushed = flow.push_to_hub('alice/kept', dataset='digits', token='hf_alice')\n"
        "from zoo.sources import parse\n"
        "value = parse(pushed).folder().config"
    )
    assert {key: outcome.value[key] for key in about} == about, outcome.output
    assert outcome.value["name"] == "kept"
