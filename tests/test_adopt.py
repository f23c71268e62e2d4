"""The command that makes weights in model_cards/ the zoo's own."""

import json
import shutil
from pathlib import Path

import pytest

from tests.folders import folder_of, save_golden
from tests.test_flow import tiny
from zoo.errors import ArgumentError, WeightsError
from zoo.folder import ModelFolder, make_golden
from zoo.sources import MODELS, names


@pytest.fixture
def clone(tmp_path: Path, monkeypatch) -> Path:
    """Another clone, with one model and an empty list."""
    shutil.copytree(folder_of("finc_mnist"), tmp_path / "model_cards" / "finc_mnist")
    (tmp_path / "zoo").mkdir()
    monkeypatch.setattr(names, "PACKAGE", tmp_path / "zoo")
    monkeypatch.setattr(names, "FILE", tmp_path / "zoo" / "models.json")
    monkeypatch.setattr(names, "MODELS", {})
    return tmp_path


def adopt(path: Path) -> dict[str, dict[str, str]]:
    names.adopt(ModelFolder(path))
    return json.loads(names.FILE.read_text())


def test_the_hash_and_the_preset_are_those_of_the_files(clone) -> None:
    model = MODELS["finc_mnist"]
    assert adopt(clone / "model_cards" / "finc_mnist") == {
        "finc_mnist": {
            "architecture": "finc",
            "preset": model.preset,
            "dataset": "mnist",
            "sha256": model.sha256,
        }
    }


def test_the_list_in_the_package_is_what_the_command_writes(clone) -> None:
    file = Path(__file__).parents[1] / "zoo" / "models.json"
    names._write(MODELS)
    assert names.FILE.read_text() == file.read_text()


def test_what_is_not_adopted(clone) -> None:
    folder = clone / "model_cards" / "finc_mnist"
    shutil.copytree(folder, clone / "elsewhere")
    with pytest.raises(ArgumentError, match="is not model_cards/finc_mnist of the clone"):
        adopt(clone / "elsewhere")
    save_golden(make_golden(tiny()), folder)
    with pytest.raises(WeightsError, match="does not reproduce golden"):
        adopt(folder)
    ModelFolder(folder).write(tiny(), {"name": "finc_mnist", "dataset": "mnist"})
    with pytest.raises(ArgumentError, match="is no preset of finc"):
        adopt(folder)
    assert not names.FILE.exists()


def test_the_command_takes_a_name(run) -> None:
    code, _, error = run("adopt", "hf-hub:alice/flow")
    assert code == 2
    assert "are a cache" in error
