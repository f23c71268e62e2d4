"""Publishing on the Hub, with the real client against a server on this machine."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

import zoo
from tests.hub.conftest import Machine
from tests.hub.server import Hub
from tests.test_flow import tiny
from tests.test_weights import edit_config, flip_byte, tamper
from zoo.cards import write_card
from zoo.cards.facts import GITHUB
from zoo.golden import make_golden
from zoo.weights import content_hash

ALICE = {"HF_TOKEN": "hf_alice"}
LFS = {**ALICE, "HF_HUB_DISABLE_XET": "1"}
PATHS = {"lfs": LFS, "xet": ALICE}


@pytest.fixture
def folder(folder: Path) -> Path:
    """A tiny flow's folder with golden tensors and a card."""
    make_golden(tiny()).save(folder)
    write_card(folder)
    return folder


def push(machine: Machine, folder: Path | str, *options: str, **environment: str):
    return machine.command(
        "push", folder, "--repo-id", "alice/flow", *options, **(environment or LFS)
    )


def head(hub: Hub, name: str = "alice/flow", ref: str = "heads/main") -> str:
    return hub.repos[name].refs[ref]


@pytest.mark.parametrize("environment", PATHS.values(), ids=PATHS)
def test_a_pushed_folder_loads_elsewhere(machine, hub, folder, environment, tmp_path) -> None:
    outcome = push(machine, folder, "--tag", "v0.1.0", **environment)
    assert outcome.message == "0", outcome.output
    pinned = f"hf-hub:alice/flow@{head(hub)}"
    assert outcome.output.splitlines()[-3:] == [
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
    # Somebody else, on another machine.
    (tmp_path / "other").mkdir()
    other = Machine(machine.client, tmp_path / "other", hub.url)
    assert other.load(pinned).value == content_hash(tiny().state_dict())
    assert other.left() == {"config.json", "model.safetensors"}
    assert through_xet == any("xet-read-token" in request.path for request in hub.requests)
    # And with the Hub's own tools.
    outcome = other.run(
        "import zoo; from huggingface_hub import snapshot_download\n"
        "folder = snapshot_download('alice/flow', revision='v0.1.0')\n"
        "value = zoo.load(f'local-dir:{folder}').origin['sha256']"
    )
    assert outcome.value == content_hash(tiny().state_dict()), outcome.output


@pytest.mark.parametrize("environment", PATHS.values(), ids=PATHS)
def test_pushing_the_same_again_makes_no_commit(machine, hub, folder, environment) -> None:
    first, again = (push(machine, folder, "--tag", "v1", **environment) for _ in range(2))
    assert again.message == "0"
    assert again.output.splitlines()[-3:] == first.output.splitlines()[-3:]
    assert len(hub.repos["alice/flow"].commits) == 2  # the first is the Hub's


def test_an_interrupted_push_is_run_again(machine, hub, folder) -> None:
    hub.failures = 99
    outcome = push(machine, folder)
    assert outcome.message == "2"
    assert "flowzoo: the upload of alice/flow@main did not come through" in outcome.output
    hub.failures = 0
    assert push(machine, folder).message == "0"
    assert "model.safetensors" in hub.repos["alice/flow"].commits[head(hub)]


def test_an_evaluation_of_other_weights_goes(machine, hub, folder) -> None:
    hub.publish("alice/flow", {"eval.json": b"{}", "notes.txt": b"mine"})
    assert push(machine, folder).message == "0"
    files = hub.repos["alice/flow"].commits[head(hub)]
    assert "eval.json" not in files
    assert "notes.txt" in files


def test_a_private_branch(machine, hub, folder) -> None:
    assert push(machine, folder, "--private", "--revision", "next").message == "0"
    repo = hub.repos["alice/flow"]
    assert repo.private
    assert "model.safetensors" in repo.commits[repo.refs["heads/next"]]
    assert "model.safetensors" not in repo.commits[repo.refs["heads/main"]]


def test_the_whole_zoo_and_its_index(machine, hub) -> None:
    outcome = machine.command("push", "--all", "--owner", "alice", **LFS)
    assert outcome.message == "0", outcome.output
    names = zoo.list_models(pretrained=True)
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
        (lambda f: make_golden(tiny(seed=1)).save(f), "does not reproduce golden.safetensors"),
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
    code, _, error = run("push", folder, "--repo-id", "alice/flow")
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


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
    outcome = machine.command("push", folder, "--repo-id", *arguments, **environment)
    assert outcome.message == "2"
    (line,) = (line for line in outcome.output.splitlines() if line.startswith("flowzoo:"))
    assert message in line
    assert "hf_" not in line
    assert set(hub.repos) == {"alice/public"}
    assert len(hub.repos["alice/public"].commits) == 1


def test_a_tag_is_never_moved(machine, hub, folder) -> None:
    push(machine, folder, "--tag", "v1")
    before = head(hub)
    edit_config(folder, dataset="mnist")
    write_card(folder)
    outcome = push(machine, folder, "--tag", "v1")
    assert outcome.message == "2"
    assert f"tag v1 of alice/flow is commit {before} already" in outcome.output
    assert head(hub, ref="tags/v1") == before


@pytest.mark.parametrize(
    "arguments", [[], ["finc_mnist"], ["--all"], ["x", "--all", "--owner", "a"]]
)
def test_push_says_what_it_needs(run, arguments) -> None:
    code, _, error = run("push", *arguments)
    assert code == 2
    assert "pass NAME|FOLDER and --repo-id, or --all and --owner" in error


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
        "assert flow.training",
    )
    assert outcome.value == f"hf-hub:alice/tuned@{head(hub, 'alice/tuned')}", outcome.output
    loaded = machine.run(
        "from zoo.registry import folder_of; from zoo.weights import read_config\n"
        f"value = read_config(folder_of({outcome.value!r}))"
    )
    assert loaded.value["name"] == "tuned"
    assert loaded.value["license"] == "mit"
    assert loaded.value["parent"] == {
        "name": f"hf-hub:alice/parent@{parent}",
        "sha256": json.loads((folder / "config.json").read_text())["sha256"],
    }
    info = machine.command("info", outcome.value)
    assert f'"name": "hf-hub:alice/parent@{parent}"' in info.output


def test_a_flow_that_was_not_changed_has_no_parent(machine, hub) -> None:
    outcome = machine.run(
        "import zoo; flow = zoo.load('finc_mnist')\n"
        "pushed = flow.push_to_hub('alice/copy', dataset='mnist', token='hf_alice')\n"
        "from zoo.registry import folder_of; from zoo.weights import read_config\n"
        "value = read_config(folder_of(pushed))"
    )
    assert "parent" not in outcome.value
    assert outcome.value["sha256"] == zoo.load("finc_mnist").origin["sha256"]
