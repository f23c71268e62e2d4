"""Cards for visitors: paper, parent and gallery in the metadata, a notebook, telling pictures."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

import zoo
from tests.folders import folder_of, read_golden, read_subject, write_card
from zoo.cards.facts import GITHUB
from zoo.cards.gallery import DRAWS, resampling
from zoo.cards.notebook import render_notebook
from zoo.files import write_json
from zoo.sources import MODELS

PRETRAINED = zoo.list_models(pretrained=True)
every_model = pytest.mark.parametrize("name", PRETRAINED)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of a user's own model."""
    folder = Path(shutil.copytree(folder_of("finc_mnist"), tmp_path / "my_digits"))
    return change(folder, name="my_digits")


def change(folder: Path, **entries: object) -> Path:
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "config.json", {**config, **entries})
    return folder


def metadata(folder: Path) -> dict[str, Any]:
    return ModelCard.load(folder / "README.md").data.to_dict()


# What the Hub reads.


@every_model
def test_the_paper_is_tagged_where_it_is_on_arxiv(name: str) -> None:
    papers = {
        **{"finc": "2301.09266", "cinc": "2107.01358", "cinc_quad": "2107.01358"},
        **{"emerging": "1901.11137", "glow": "1807.03039"},
    }
    expected = papers.get(MODELS[name].architecture)
    tags = [tag for tag in metadata(folder_of(name))["tags"] if tag.startswith("arxiv:")]
    assert tags == ([f"arxiv:{expected}"] if expected else [])


@pytest.mark.parametrize(
    ("parent", "repository"),
    [
        ({"name": "hf-hub:alice/parent@0123", "sha256": "0"}, "alice/parent"),
        ({"name": "cinc_mnist", "sha256": MODELS["cinc_mnist"].sha256}, "OWNER/cinc_mnist"),
        ({"name": "cinc_mnist", "sha256": "of other weights"}, None),
        ({"name": "somebody_s", "sha256": "0"}, None),
        (None, None),
    ],
    ids=["of the Hub", "of the zoo", "of that name only", "of a folder", "none"],
)
def test_a_fine_tuned_model_names_its_base_model(mine: Path, parent, repository) -> None:
    write_card(change(mine, parent=parent))
    found = metadata(mine)
    assert found.get("base_model") == repository
    assert found.get("base_model_relation") == ("finetune" if repository else None)


def test_the_gallery_has_the_figures_that_are_of_these_weights(mine: Path) -> None:
    (mine / "interpolation.png").write_bytes(b"no picture")
    write_card(mine)
    shown = [entry["output"]["url"] for entry in metadata(mine)["widget"]]
    assert shown == ["samples.png", "resampling.png", "reconstructions.png"]
    for figure in shown:
        (mine / figure).unlink()
    write_card(mine)
    assert "widget" not in metadata(mine)


# The notebook.


@every_model
def test_no_notebook_is_stale(name: str) -> None:
    folder = folder_of(name)
    assert (folder / "notebook.ipynb").read_text() == render_notebook(read_subject(folder))


def test_the_notebook_runs(mine: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    write_card(mine)
    notebook = nbformat.read(mine / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells[0] == f"%pip install -q git+https://github.com/{GITHUB}"
    names: dict[str, Any] = {}
    for cell in cells[1:]:
        exec(cell.replace("hf-hub:OWNER/my_digits", f"local-dir:{mine}"), names)
    assert torch.equal(names["flow"].decode(names["z"]), names["images"])


def test_the_badge_opens_the_notebook_where_it_is(mine: Path) -> None:
    colab = "https://colab.research.google.com"
    write_card(mine)
    assert (
        f"]({colab}/#fileId=https%3A//huggingface.co/OWNER/my_digits/blob/main/notebook.ipynb)"
        in (mine / "README.md").read_text()
    )
    assert (
        f"]({colab}/github/OWNER/flowzoo/blob/main/model_cards/finc_mnist/notebook.ipynb)"
        in (folder_of("finc_mnist") / "README.md").read_text()
    )


# The picture of the levels.


@every_model
def test_resampling_shows_what_a_level_holds(name: str) -> None:
    flow, images = zoo.load(name), read_golden(folder_of(name)).images[:2]
    rows = resampling(flow, images, torch.Generator().manual_seed(0)).unflatten(0, (2, -1))
    draws = rows[:, 1:].unflatten(1, (len(flow.blocks), DRAWS)).int()
    changes = (draws - images[:, None, None].int()).abs().float().mean((0, 2, 3, 4, 5))
    assert changes[-1] > 20, "the coarsest level decides what is seen"
    assert changes[-1] > 2 * changes[0], "the finest only how it looks"
