"""Somebody else's architecture, data set and layer: docs/extend.md, as it stands there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import zoo
from tests.folders import read_config
from tests.hub.conftest import client, elsewhere, hub, machine  # noqa: F401
from zoo.architectures import plugins
from zoo.architectures.registry import ARCHITECTURES
from zoo.data.catalogue import IMAGE_SETS, facts_of
from zoo.errors import ArgumentError, ConfigError, DataError

PAGE = (Path(__file__).parents[2] / "docs" / "extend.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


FILE, LOOP = blocks("python")
(RECIPE,) = blocks("yaml")
(WAY,) = blocks("sh")
COMMANDS = """
import sys, zoo.cli
for command in {}:
    sys.argv = command
    try: zoo.cli.main()
    except SystemExit as end: assert not end.code, command
"""
LOAD = """
import sys; sys.path.insert(0, ".")
{}
import torch, zoo
flow = zoo.load({!r})
images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
assert torch.equal(flow.decode(flow.encode(images)), images)
value = flow.origin["sha256"]
"""


def write_files(folder: Path) -> None:
    images = (load_digits().images * 15).astype(np.uint8)[:, None]
    np.save(folder / "cells-train.npy", images[:600])
    np.save(folder / "cells-test.npy", images[600:700])
    (folder / "my_flows.py").write_text(FILE)
    (folder / "my_recipe.yaml").write_text(RECIPE)


def test_a_stranger_goes_the_whole_way(machine, hub, elsewhere) -> None:  # noqa: F811
    write_files(machine.folder)
    commands = [shlex.split(line.replace("OWNER", "alice")) for line in WAY.splitlines()]
    outcome = machine.run(COMMANDS.format(commands), HF_TOKEN="hf_alice")
    assert outcome.error == "", outcome.output
    config = read_config(machine.folder / "models" / "shear_cells")
    assert config["step"] == 60
    repo = hub.repos["alice/shear_cells"]
    files = repo.commits[repo.refs["heads/main"]]
    assert {"eval.json", "recipe.yaml", "golden.safetensors", "samples.png"} <= set(files)
    card = hub.objects[files["README.md"].oid].decode()
    assert "flow of shears and affine couplings, trained on Cells" in card
    assert "Not certified: blocks.0.bijections.2" in card
    assert "## Citation" not in card
    # On another machine: refused without the plugin, exact with it.
    refused = elsewhere.load("hf-hub:alice/shear_cells")
    assert "no architecture 'shear'" in refused.message
    assert "--plugin" in refused.message
    (elsewhere.folder / "my_flows.py").write_text(FILE)
    loaded = elsewhere.run(LOAD.format("import my_flows", "hf-hub:alice/shear_cells"))
    assert loaded.value == config["sha256"], loaded.output


def test_a_flow_of_one_s_own_loop_is_saved(tmp_path, monkeypatch, registries) -> None:
    write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "my_flows"}
    exec(FILE, names)
    images = torch.from_numpy(np.load("cells-train.npy")[:64])
    exec(LOOP, {**names, "images": images})
    config = read_config(tmp_path / "models" / "by_hand")
    assert (config["name"], config["dataset"], config["license"]) == ("by_hand", "cells", "mit")
    assert {path.name for path in (tmp_path / "models" / "by_hand").iterdir()} == {
        *("config.json", "model.safetensors", "golden.safetensors", "README.md", "notebook.ipynb")
    }
    assert zoo.list_presets("shear") == ["small"]
    assert {"shear"} < set(zoo.list_architectures())
    assert {"cells"} < set(zoo.list_datasets())


def test_what_cannot_be_registered(registries) -> None:
    finc = ARCHITECTURES["finc"]
    with pytest.raises(ArgumentError, match="'finc' cannot name an architecture: it is taken"):
        zoo.register_architecture("finc", presets=finc.presets)
    with pytest.raises(ArgumentError, match="'My Flow' cannot name"):
        zoo.register_architecture("My Flow", presets=finc.presets)
    for presets in ({}, finc.presets, {"a": {"channels": 1}}):
        with pytest.raises(ArgumentError, match="must be of one class of its own"):
            zoo.register_architecture("mine", presets=presets)
    with pytest.raises(ArgumentError, match="'mnist' cannot name a data set"):
        zoo.register_dataset("mnist", IMAGE_SETS["digits"], zoo.DatasetFacts("MNIST"))
    with pytest.raises(ArgumentError, match="must be a zoo.ImageSet; got str"):
        zoo.register_dataset("cells", "cells.npy", zoo.DatasetFacts("Cells"))
    with pytest.raises(ConfigError, match="no architecture 'mine'.*register_architecture"):
        zoo.list_presets("mine")


def test_plugins_that_cannot_be_imported(tmp_path, run) -> None:
    (tmp_path / "broken_plugin.py").write_text("1 / 0")
    for source, message in {
        str(tmp_path / "none.py"): "cannot be imported: FileNotFoundError",
        str(tmp_path / "broken_plugin.py"): "ZeroDivisionError",
        "no_such_module_of_mine": "No module named 'no_such_module_of_mine'",
    }.items():
        with pytest.raises(ArgumentError, match="Name a Python file or a module") as error:
            plugins.load_plugin(source)
        assert message in str(error.value)
    code, _, error = run("--plugin", "no_such_module_of_mine", "ls")
    assert code == 2
    assert "no_such_module_of_mine cannot be imported" in error


def test_installed_plugins_are_found(tmp_path, monkeypatch, registries) -> None:
    (tmp_path / "installed_flows.py").write_text(FILE.replace('"shear"', '"installed"'))
    about = tmp_path / "installed_flows-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: installed-flows\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[flowzoo]\nmine = installed_flows\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.load_installed.cache_clear()
    assert facts_of("cells").title != "cells"
    assert zoo.list_presets("installed") == ["small"]
    with pytest.raises(DataError, match=r"there is no .*cells-test.npy"):
        zoo.data.load_images("cells", tmp_path, "test")


def test_saving_over_anything_else_is_refused(tmp_path, registries) -> None:
    flow = zoo.load("finc_mnist")
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ArgumentError, match="is no model's folder"):
        flow.save(tmp_path, dataset="mnist")
    with pytest.raises(ArgumentError, match="is no name of a model"):
        flow.save(tmp_path / "a b", dataset="mnist")
    with pytest.raises(ArgumentError, match="saved in float32"):
        zoo.load("finc_mnist").half().save(tmp_path / "half", dataset="mnist")
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    folder = flow.save(tmp_path / "copy", dataset="mnist")
    (folder / "notes.md").write_text("kept")
    (folder / "mine.txt").write_text("kept")
    flow.save(folder, dataset="mnist")
    assert (folder / "notes.md").read_text() == (folder / "mine.txt").read_text() == "kept"
    assert zoo.load(f"local-dir:{folder}").origin["sha256"] == flow.origin["sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "copy"]
