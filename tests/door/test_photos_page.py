"""A folder of photographs becomes a flow on the Hub: docs/photos.md, as it stands there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.door.test_stranger import COMMANDS
from tests.folders import read_config, read_golden
from tests.hub.conftest import client, elsewhere, hub, machine  # noqa: F401

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "photos.md").read_text()
STANDARD = ROOT / "data" / "photo" / "standard"
COUNT, SIZE = 40, (40, 56)
# A run of seconds: a narrow flow of small crops.
SMALL = """
--model.overrides '{"size": [16, 16], "levels": 2, "steps": 1, "hidden_channels": 8}'
--data.size 16 --data.batch_size 4 --trainer.max_steps 4 --trainer.val_check_interval 2
--pictures.first 1 --pictures.count 4 --trainer.accelerator cpu --trainer.enable_progress_bar false
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def scenes() -> list[Image.Image]:
    """The standard pictures where they are, else soft shades with some grain."""
    files = sorted(path for path in STANDARD.rglob("*") if path.suffix in (".png", ".jpg"))
    if files:
        return [Image.open(path).convert("RGB") for path in files]
    random = np.random.default_rng(0)
    coarse = [random.integers(0, 256, (6, 8, 3), np.uint8) for _ in range(5)]
    return [Image.fromarray(pixels).resize((480, 360)) for pixels in coarse]


def take_photographs(folder: Path) -> None:
    """Write COUNT photographs, half of them into a sub-folder, and a note."""
    (folder / "trip").mkdir(parents=True)
    found = scenes()
    for i in range(COUNT):
        scene = found[i % len(found)]
        left, top = (17 * i) % (scene.width - SIZE[1]), (11 * i) % (scene.height - SIZE[0])
        photo = scene.crop((left, top, left + SIZE[1], top + SIZE[0] + i % 3))
        photo.save(folder / ("trip" if i % 2 else "") / f"{i:02}.png")
    (folder / "notes.txt").write_text("not a photograph")


def commands() -> list[list[str]]:
    """All commands of the page, each on one line; training is made short."""
    text = "".join(blocks("sh")).replace("OWNER", "alice").replace("recipes/", f"{ROOT}/recipes/")
    text = text.replace("finc_photos", "local-dir:models/our_garden")
    lines = [shlex.split(line) for line in text.splitlines()]
    assert all(line[0] == "flowzoo" for line in lines)
    found = [line + shlex.split(SMALL) * (line[1] == "train") for line in lines]
    tuned = next(line for line in found if "--init_from" in line)
    found.remove(tuned)
    return [*found, tuned]  # from the model that the other commands make


@pytest.fixture
def published(machine, hub):  # noqa: F811
    """The machine after all commands."""
    take_photographs(machine.folder / "my_photos")
    outcome = machine.run(COMMANDS.format(commands()), HF_TOKEN="hf_alice")
    assert outcome.error == "", outcome.output
    return machine


def test_the_page_goes_from_a_folder_to_the_hub(published, hub, elsewhere) -> None:  # noqa: F811
    folder = published.folder
    config = read_config(folder / "models" / "our_garden")
    assert (config["step"], config["dataset_title"]) == (4, "our garden")
    assert read_golden(folder / "models" / "our_garden").natural >= 2
    recipe = yaml.safe_load((folder / "models" / "our_garden" / "recipe.yaml").read_text())
    assert (recipe["data"]["size"], recipe["trainer"]["max_steps"]) == (16, 4)
    pictures = {path.name for path in folder.rglob("pictures/*.png")}
    assert {"0000001_samples.png", "0000002_samples.png", "0000004_reconstructions.png"} <= pictures
    # Every photograph came back, where it was.
    originals = sorted((folder / "my_photos").rglob("*.png"))
    assert len(originals) == COUNT
    for path in originals:
        decoded = folder / "decoded" / path.relative_to(folder / "my_photos")
        assert np.array_equal(np.array(Image.open(path)), np.array(Image.open(decoded)))
    repo = hub.repos["alice/our_garden"]
    files = repo.commits[repo.refs["heads/main"]]
    card = hub.objects[files["README.md"].oid].decode()
    assert "trained on our garden" in card
    assert "Lossless codecs take on these images" in card
    assert "included by their owner" in card
    # Somebody else loads it, and encodes pictures of mixed sizes.
    take_photographs(elsewhere.folder / "my_photos")
    (lines,) = blocks("python")
    outcome = elsewhere.run(lines.replace("OWNER", "alice") + "value = len(back)")
    assert outcome.value == COUNT, outcome.output
