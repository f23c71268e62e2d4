"""torch.hub, from a folder as it keeps one of GitHub, and with weights of the Hub."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hubconf
import zoo
from tests.folders import folder_of, read_config
from tests.test_flow import tiny
from zoo.architectures import ARCHITECTURES
from zoo.folder import content_hash

REPOSITORY = Path(__file__).parents[2]

# Any attempt to reach the network ends the program.
LIST_HELP_LOAD = """
import json, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise SystemExit(f"network: {event} {arguments}")
sys.addaudithook(refuse)
import torch
github = "flowzoo/flowzoo:v0.1.0"
names = torch.hub.list(github, trust_repo=True)
text = torch.hub.help(github, "finc_mnist", trust_repo=True)
imported = "zoo" in sys.modules
flow = torch.hub.load(github, "finc_mnist", pretrained=True, trust_repo=True)
images = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
print(json.dumps({
    "names": names,
    "help": text,
    "imported": imported,
    "exact": torch.equal(flow.decode(flow.encode(images)), images),
    "files": [module.__file__ for name, module in sys.modules.items() if name.startswith("zoo")],
}))
"""


def test_list_help_and_load_from_the_cache_of_github(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "flowzoo_flowzoo_v0.1.0"
    folder.mkdir(parents=True)
    shutil.copy(REPOSITORY / "hubconf.py", folder)
    for part in ("zoo", "model_cards"):
        shutil.copytree(REPOSITORY / part, folder / part)
    run = python(LIST_HELP_LOAD, tmp_path, TORCH_HOME=str(tmp_path))
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert set(found["names"]) == {*zoo.list_models(), *ARCHITECTURES}
    assert "A compact flow of the architecture finc, for mnist." in found["help"]
    assert not found["imported"], "listing and help import nothing"
    assert found["exact"]
    assert all(Path(file).is_relative_to(folder) for file in found["files"])
    imported = imports(found["files"])
    assert imported <= set(hubconf.dependencies)
    for name in set(hubconf.dependencies) - imported:  # torch may need it
        load = f"import sys; sys.modules[{name!r}] = None; import hubconf; hubconf.finc_mnist()"
        run = python(load, folder)
        assert run.returncode == 1, f"loads without {name}"
        assert name in run.stderr.lower()


def python(code: str, folder: Path, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run code in a new interpreter, which finds no other zoo than one in its folder."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**environment, **changes},
        capture_output=True,
        text=True,
    )


def imports(files: list[str]) -> set[str]:
    """Packages that are imported anywhere in these files, but for the standard library and zoo."""
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(Path(file).read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module or "")
    tops = {name.split(".")[0] for name in names}
    return tops - set(sys.stdlib_module_names) - {"zoo"}


def test_weights_of_the_hub(machine, hub, folder) -> None:
    source = f"hf-hub:alice/flow@{hub.publish_folder('alice/flow', folder)}"
    load = (
        "import torch; from zoo.folder import content_hash\n"
        f"flow = torch.hub.load({str(REPOSITORY)!r}, {{!r}}, source='local', weights={source!r})\n"
        "value = content_hash(flow.state_dict())"
    )
    assert machine.run(load.format("finc")).value == content_hash(tiny().state_dict())
    for name, message in (
        ("cinc", f"{source} is no cinc. zoo.load('{source}') loads it."),
        ("finc_mnist", f"{source} has another configuration than finc_mnist."),
    ):
        outcome = machine.run(load.format(name))
        assert outcome.error == "WeightsError"
        assert message in outcome.message


@pytest.mark.parametrize(
    ("entrypoint", "model"), [("finc", None), ("finc_mnist", folder_of("finc_mnist"))]
)
def test_options_of_the_hub(machine, hub, folder, entrypoint, model) -> None:
    hub.publish_folder("alice/flow", model or folder, private=True)
    load = (
        f"import torch\nvalue = torch.hub.load({str(REPOSITORY)!r}, {entrypoint!r}, "
        "source='local', weights='hf-hub:alice/flow', cache_dir='elsewhere', {}).origin['sha256']"
    )
    assert machine.run(load.format("")).error == "HubError"
    loaded = machine.run(load.format("token='hf_alice'"))
    assert loaded.value == read_config(model or folder)["sha256"], loaded.output
    assert list((machine.folder / "elsewhere").glob("*/snapshots/*/model.safetensors"))
    assert not machine.cache.exists()
    hub.requests.clear()
    assert machine.run(load.format("local_files_only=True")).value == loaded.value
    assert hub.requests == []
