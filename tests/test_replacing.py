"""A model's folder is the old one or the new one, whenever the writing ends."""

import os
import shutil
from pathlib import Path

import pytest

import zoo
from tests.test_flow import tiny
from zoo.cards import save_flow
from zoo.errors import ArgumentError, WeightsError
from zoo.folder import ModelFolder, identity, swap

NAMES = ["..", ".", "a/b", "/tmp/x", "a b", ".hidden", "a..b", "-x", "é", "x" * 97, "a\0b", "a\n"]


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


# What a kill may come before.
STEPS = (
    *((os, "link"), (os, "unlink"), (os, "rmdir"), (Path, "rename")),
    *((ModelFolder, "write_config"), (swap, "_exchange")),
)


def cannot(*_: object) -> None:
    raise OSError(22, "no exchange on this file system")


def killed_at(step: int, folder: Path, new: Path, exchange) -> bool:
    """Put another model into a folder in a process that is killed at a step; whether it was."""
    if (child := os.fork()) == 0:
        left = [step]

        def counted(operation):
            def run(*arguments, **options):
                if left[0] == 0:
                    os._exit(9)
                left[0] -= 1
                return operation(*arguments, **options)

            return run

        swap._exchange = exchange
        for owner, name in STEPS:
            setattr(owner, name, counted(getattr(owner, name)))
        try:
            with ModelFolder(folder).replacing() as aside:
                shutil.copytree(new, aside.path, dirs_exist_ok=True)
                aside.write_config(ModelFolder(new).config)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of the model's files."""
    present = ModelFolder(folder).present().items()
    return {name: path.read_bytes() for name, path in present if name != "notes.md"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("exchange", [swap._exchange, cannot], ids=["at once", "by renames"])
def test_a_killed_export_leaves_the_old_model_or_the_new_one(tmp_path: Path, exchange) -> None:
    for seed, name in enumerate(("old", "new")):
        save_flow(tiny(seed=seed), tmp_path / name, name="model", dataset="digits")
    known, gone = [files_of(tmp_path / "old"), files_of(tmp_path / "new")], 0
    (tmp_path / "old" / "notes.md").write_text("mine")
    (tmp_path / "old" / "more").mkdir()
    (tmp_path / "old" / "more" / "of mine").touch()
    for step in range(60):
        folder = tmp_path / f"{step}" / "model"
        shutil.copytree(tmp_path / "old", folder)
        killed = killed_at(step, folder, tmp_path / "new", exchange)
        if not folder.exists():
            gone += 1
            with pytest.raises(WeightsError, match=r"rename \S+\.model\.old\.\w+ to bring it back"):
                zoo.load(f"local-dir:{folder}")
            swap.tidy(folder)
        assert files_of(folder) in known
        assert (folder / "notes.md").read_text() == "mine"
        assert (folder / "more" / "of mine").exists()
        if not killed:
            break
    assert not killed
    assert files_of(folder) == known[1]
    assert step > 4
    assert gone == (exchange is cannot)
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_what_a_kill_left_is_removed_by_a_later_export(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for left in (fresh := swap.hidden(folder, "new"), stale := swap.hidden(folder, "new")):
        save_flow(tiny(), left, name="model", dataset="digits")
    os.utime(stale, (0, 0))
    save_flow(tiny(), folder, dataset="digits")
    assert {*tmp_path.iterdir()} == {folder, fresh}


def test_a_link_to_a_model_and_who_may_read_it_stay(tmp_path: Path) -> None:
    folder, link = tmp_path / "model", tmp_path / "link"
    save_flow(tiny(), folder, dataset="digits")
    link.symlink_to(folder)
    folder.chmod(0o700)
    (folder / "model.safetensors").chmod(0o600)
    save_flow(tiny(seed=1), link, name="model", dataset="digits")
    assert link.is_symlink()
    assert identity(ModelFolder(folder).load()) == identity(tiny(seed=1))
    assert (
        folder.stat().st_mode & 0o777,
        (folder / "model.safetensors").stat().st_mode & 0o777,
    ) == (0o700, 0o600)


def test_a_full_disk_at_the_swap_leaves_the_old_model(tmp_path: Path, monkeypatch) -> None:
    folder, rename = tmp_path / "model", Path.rename
    save_flow(tiny(), folder, dataset="digits")

    def full(path: Path, target: Path) -> Path:
        if path.name.startswith(".model.new."):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(swap, "_exchange", cannot)
    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        save_flow(tiny(seed=1), folder, dataset="digits")
    assert identity(ModelFolder(folder).load()) == identity(tiny())
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
