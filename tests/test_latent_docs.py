"""The pages on latents: their tables are the measurements', and their examples run."""

import re
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

import zoo
from tests.folders import folder_of, read_golden
from tests.test_docs import DOCS, line, records

SIDE = {"finc_mnist": 20, "finc_cifar10": 16}


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S)


def directions() -> Iterator[str]:
    for row in records("directions.csv"):
        method = row["method"] if row["method"] == "paper" else f"ridge {row['method']}"
        names = ("pixels", "bits_per_dim", "kept_class", "slant", "stroke_width", "brightness")
        numbers = [f"{float(row[name]):.2f}" for name in names]
        step = f"{float(row['alpha']):.0f}"
        goal = row["goal"].replace("_", " ")
        yield line(goal, method, f"{float(row['reached']):.0%}", step, *numbers)


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


def test_every_pretrained_flow_was_scored() -> None:
    assert {row["model"] for row in records("unusual.csv")} <= set(zoo.list_models(pretrained=True))


def run(name: str, first: str) -> dict[str, Tensor]:
    """Variables of one of the examples, on two crops of natural images."""
    images = read_golden(folder_of(name)).images[:2]
    top, left = ((side - SIDE[name]) // 2 for side in images.shape[2:])
    crops = images[:, :, top : top + SIDE[name], left : left + SIDE[name]]
    values = {"name": name, "images": crops, "zoo": zoo}
    for block in blocks("latents.md"):
        if "def optimise" in block or first in block:
            exec(block, values)
    return values


def psnr(x: Tensor, clean: Tensor) -> float:
    return float(-10 * (x - clean).square().mean().log10())


@pytest.mark.parametrize("name", SIDE)
def test_denoising_converges(name: str) -> None:
    found = run(name, "noisy = ")
    losses = torch.tensor(found["losses"])
    assert losses.isfinite().all()
    assert losses[-1] < losses[0]
    assert losses[-8:].std() < 0.05 * losses[0]
    gain = psnr(found["denoised"], found["clean"]) - psnr(found["noisy"], found["clean"])
    print(name, psnr(found["noisy"], found["clean"]), gain)
    assert gain > 1.5


@pytest.mark.parametrize("name", SIDE)
def test_inpainting_converges(name: str) -> None:
    found = run(name, "holed = ")
    losses = torch.tensor(found["losses"])
    assert losses.isfinite().all()
    assert losses[-8:].std() < 0.05 * max(losses)
    hole = found["seen"] == 0
    before, after = (
        psnr(found[key][hole], found["clean"][hole]) for key in ("holed", "filled")
    )
    print(name, before, after)
    assert after > before + 1.5
