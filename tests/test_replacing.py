"""A model's folder is the old one or the new one, whenever the writing ends."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from tests.test_flow import tiny
from zoo.cards import save_flow
from zoo.errors import ArgumentError
from zoo.folder import ModelFolder, identity

NAMES = [
    "..",
    ".",
    "a/b",
    "/tmp/x",
    "a b",
    ".hidden",
    "a..b",
    "-x",
    "é",
    "x" * 97,
    "a\0b",
    "a\n",
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="is no name of a model"):
        save_flow(tiny(), tmp_path / "model", name=name, dataset="digits")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_model_s_is_left_alone(tmp_path: Path) -> None:
    for file in ("README.md", "config.json", "samples.png"):
        (tmp_path / file).write_text('{"mine": 1}')
    with pytest.raises(ArgumentError, match="is no model's folder"):
        save_flow(tiny(), tmp_path, name="model", dataset="digits")
    assert {path.read_text() for path in tmp_path.iterdir()} == {'{"mine": 1}'}


def killed_at(step: int, folder: Path) -> bool:
    """Save another flow over a folder in a process that is killed at a step; whether it was."""
    if (child := os.fork()) == 0:
        left = [step]

        def counted(operation):
            def run(*arguments, **options):
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1
                return operation(*arguments, **options)

            return run

        for owner, name in ((os, "replace"), (Path, "rename"), (shutil, "move"), (os, "unlink")):
            setattr(owner, name, counted(getattr(owner, name)))
        torch.set_num_threads(1)
        try:
            save_flow(tiny(seed=1), folder, dataset="digits")
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_killed_export_leaves_the_old_model_or_the_new_one(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    old, new = tiny(), tiny(seed=1)
    known, gone = {identity(old), identity(new)}, 0
    for step in range(40):
        folder = tmp_path / f"{step}" / "model"
        save_flow(old, folder, dataset="digits")
        (folder / "notes.md").write_text("mine")
        killed = killed_at(step, folder)
        gone += not folder.exists()
        # Between two renames the old one is whole under another name.
        there = folder if folder.exists() else next(folder.parent.glob(".model.old-*"))
        found = ModelFolder(there)
        flow = found.load()
        assert identity(flow) in known
        found.golden.check(flow)
        assert any("mine" in path.read_text() for path in folder.parent.rglob("notes.md"))
        if not killed:
            break
    torch.set_num_threads(threads)
    assert not killed
    assert step > 4
    assert gone <= 1


def test_a_full_disk_at_the_swap_leaves_the_old_model(tmp_path: Path, monkeypatch) -> None:
    folder, rename = tmp_path / "model", Path.rename
    save_flow(tiny(), folder, dataset="digits")

    def full(path: Path, target: Path) -> Path:
        if path.name.startswith(".model.new"):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        save_flow(tiny(seed=1), folder, dataset="digits")
    assert identity(ModelFolder(folder).load()) == identity(tiny())
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
