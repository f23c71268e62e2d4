"""The pages on latents: their tables are the measurements', and their examples run."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zoo
from tests.folders import folder_of, read_golden, save_folder
from tests.test_docs import DOCS, line, records
from tests.test_flow import noise, tiny
from zoo.latents.shards import EncodedSet, ShardFolder

# Number of images, and the side of the crop of each.
CROPS = {"finc_mnist": (1, 20), "finc_cifar10": (4, 16)}


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S)


def directions() -> Iterator[str]:
    for row in records("directions.csv"):
        method = row["method"] if row["method"] == "paper" else f"ridge {row['method']}"
        correlation = f"{float(row['correlation']):.2f}"
        names = ("pixels", "bits_per_dim", "kept_class", "slant", "stroke_width", "brightness")
        numbers = [f"{float(row[name]):.2f}" for name in names]
        step = f"{float(row['alpha']):.0f}"
        goal = row["goal"].replace("_", " ")
        yield line(goal, method, correlation, f"{float(row['reached']):.0%}", step, *numbers)


def scores() -> Iterator[str]:
    for row in records("unusual.csv"):
        numbers = (f"{float(row[name]):.3f}" for name in ("likelihood", "typicality", "complexity"))
        yield line(f"`{row['model']}`", row["data"], row["other"].replace("_", " "), *numbers)


@pytest.mark.parametrize("page", ["latents.md", "latents-scores.md"])
def test_the_pages_say_what_was_measured(page: str) -> None:
    text = (DOCS / page).read_text()
    table = list({"latents.md": directions, "latents-scores.md": scores}[page]())
    assert [entry for entry in table if entry not in text] == []
    assert text.count("\n| `" if page == "latents-scores.md" else "\n| class") >= 3


def test_what_was_scored_are_pretrained_flows() -> None:
    assert {row["model"] for row in records("unusual.csv")} <= set(zoo.list_models(pretrained=True))


def test_the_examples_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    flow, images = tiny(levels=3, size=(8, 16)), noise(6, size=(8, 16))
    sha256 = save_folder(flow, tmp_path / "model")
    encoded = EncodedSet("local-dir:model", sha256, "noise", "train", 6, (1, 8, 16), "pixels", 4)
    shards = ShardFolder(tmp_path / "latents", encoded, labels=[0, 1, 2] * 2)
    for k, part in enumerate(images.split(4)):
        shards.write(k, flow.encode(part), {})
    shards.finish()
    values: dict[str, Any] = {"training_images": images}
    for block in [*blocks("latents.md"), *blocks("latents-scores.md")]:
        if "optimise" not in block:
            exec(block, values)
    assert torch.equal(values["images"], images)
    assert torch.equal(values["maps"], flow.likelihood_map(images))


def run(name: str, first: str) -> dict[str, Any]:
    """Variables of one of the examples, on the middle of natural images."""
    count, side = CROPS[name]
    images = read_golden(folder_of(name)).images[:count]
    top, left = ((whole - side) // 2 for whole in images.shape[2:])
    crops = images[:, :, top : top + side, left : left + side]
    values: dict[str, Any] = {"name": name, "images": crops, "zoo": zoo}
    for block in blocks("latents.md"):
        if "def optimise" in block or first in block:
            exec(block, values)
    return values


def psnr(x: Tensor, clean: Tensor) -> float:
    return float(-10 * (x - clean).square().mean().log10())


def check_converged(losses: list[float]) -> None:
    found = torch.tensor(losses)
    assert found.isfinite().all()
    fall = found[0] - found[-1]
    assert fall > 0
    assert (found[-5] - found[-1]).abs() < 0.1 * fall


@pytest.mark.parametrize("name", CROPS)
def test_denoising_converges(name: str) -> None:
    found = run(name, "noisy = ")
    check_converged(found["losses"])
    before, after = (psnr(found[key], found["clean"]) for key in ("noisy", "denoised"))
    print(name, "denoised", before, after)
    assert after > before + 1


@pytest.mark.parametrize("name", CROPS)
def test_inpainting_converges(name: str) -> None:
    found = run(name, "holed = ")
    check_converged(found["losses"])
    hole = found["seen"] == 0
    before, after = (psnr(found[key][hole], found["clean"][hole]) for key in ("holed", "filled"))
    print(name, "filled", before, after)
    assert after > before + 1
