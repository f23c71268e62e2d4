"""`flowzoo directions`, `edit` and `score`, with their pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from tests.folders import save_folder
from tests.test_flow import noise, tiny
from zoo import Directions
from zoo.cli.steering import STEPS
from zoo.files import write_json
from zoo.latents.shards import EncodedSet, ShardFolder
from zoo.pictures import grid, write_image

IMAGES = noise(25)
FLOW = tiny()


@pytest.fixture
def model(tmp_path: Path) -> str:
    save_folder(FLOW, tmp_path / "model", {"name": "tiny", "dataset": "noise"})
    return f"local-dir:{tmp_path / 'model'}"


@pytest.fixture
def latents(tmp_path: Path, model: str) -> Path:
    sha256 = zoo.folder.identity(FLOW)
    encoded = EncodedSet(model, sha256, "noise", "test", 25, (1, 8, 12), "of the pixels", 7)
    shards = ShardFolder(tmp_path / "z", encoded, labels=["cat", "dog", "owl", "cat", "dog"] * 5)
    for k, images in enumerate(IMAGES.split(7)):
        shards.write(k, FLOW.encode(images), {})
    shards.finish()
    return shards.folder


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{k}.png" for k in range(3)]
    for path, image in zip(paths, IMAGES[:3], strict=True):
        write_image(image, path)
    return paths


def picture(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.array(Image.open(path)))[None]


def test_directions_of_labels_are_found_saved_and_drawn(run, latents, tmp_path) -> None:
    status, out, _ = run("directions", latents, "-o", tmp_path / "d.safetensors")
    assert status == 0
    found = Directions.load(tmp_path / "d.safetensors")
    assert found.names == ("cat", "dog", "owl")
    assert all(name in out for name in found)
    data = zoo.latents.load(latents)
    assert torch.equal(found.vectors, zoo.directions(data).vectors)
    alphas = torch.tensor(STEPS) * found["owl"].std
    owls = FLOW.edit(IMAGES[2:3].expand(len(STEPS), -1, -1, -1), found["owl"], alphas)
    height = grid(owls, len(STEPS)).shape[1]
    assert torch.equal(picture(tmp_path / "d.png")[:, -height:], grid(owls, len(STEPS)))


def test_directions_of_attributes_are_of_the_decoded_images(run, latents, tmp_path) -> None:
    output = tmp_path / "d.safetensors"
    options = ("--attribute", "brightness", "--attribute", "sharpness", "--batch-size", 4)
    status, _, _ = run("directions", latents, "-o", output, *options, "--method", "paper")
    assert status == 0
    of = zoo.latents.attributes.measure(IMAGES, ["brightness", "sharpness"])
    wanted = zoo.directions(zoo.latents.load(latents), of, method="paper")
    found = Directions.load(output)
    assert (found.names, found.method) == (("brightness", "sharpness"), "paper")
    assert torch.equal(found.vectors, wanted.vectors)


def test_edit_draws_a_row_for_each_image(run, latents, files, tmp_path) -> None:
    zoo.directions(zoo.latents.load(latents)).save(tmp_path / "d.safetensors")
    options = ("--directions", tmp_path / "d.safetensors", "--name", "dog")
    alphas = [0.0, 1.5]
    steps = [part for alpha in alphas for part in ("--alpha", alpha)]
    status, out, _ = run("edit", *files, *options, *steps, "-o", tmp_path / "e.png")
    assert status == 0
    assert "dog by 0, 1.5" in out
    direction = Directions.load(tmp_path / "d.safetensors")["dog"]
    pairs = torch.stack([FLOW.edit(IMAGES[:3], direction, alpha) for alpha in alphas], dim=1)
    assert torch.equal(picture(tmp_path / "e.png"), grid(pairs.flatten(0, 1), 2))


def test_edit_refuses_directions_of_another_flow(run, latents, files, tmp_path) -> None:
    zoo.directions(zoo.latents.load(latents)).save(tmp_path / "d.safetensors")
    save_folder(tiny(seed=1), tmp_path / "other")
    options = ("--directions", tmp_path / "d.safetensors", "--name", "dog")
    other = f"local-dir:{tmp_path / 'other'}"
    status, _, error = run("edit", *files, *options, "-m", other, "-o", tmp_path / "e.png")
    assert status == 2
    assert "other weights" in error
    assert not (tmp_path / "e.png").exists()


@pytest.mark.parametrize("method", ["likelihood", "typicality", "complexity"])
def test_score_orders_images_and_draws_their_maps(run, model, files, tmp_path, method) -> None:
    write_json(tmp_path / "model" / "eval.json", {"bits_per_dim": 5.0})
    write_image(torch.full((1, 8, 12), 9, dtype=torch.uint8), tmp_path / "flat.png")
    paths = [*files, tmp_path / "flat.png"]
    output = tmp_path / "s.png"
    status, out, _ = run("score", *paths, "-m", model, "--method", method, "-o", output)
    assert status == 0
    lines = [line.split() for line in out.splitlines() if line.startswith("  ")]
    images = torch.cat([IMAGES[:3], torch.full((1, 1, 8, 12), 9, dtype=torch.uint8)])
    options = {"typical": 5.0} if method == "typicality" else {}
    seed = torch.Generator().manual_seed(0)
    scores = FLOW.score(images, method, generator=seed, **options)
    order = scores.argsort().tolist()
    assert lines == [[f"{scores[i]:.3f}", str(paths[i])] for i in order]
    drawn = picture(output)
    first = drawn[:, 1:17, 1:25].unfold(1, 2, 2).unfold(2, 2, 2)[..., 0, 0]
    assert torch.equal(first, images[order[0]])
    maps = -FLOW.likelihood_map(images[order[:1]])[0].sum(0)
    scaled = 255 * (maps - maps.min()) / (maps.max() - maps.min())
    shown = drawn[:, 1:17, 27:51].unfold(1, 2, 2).unfold(2, 2, 2)[0, ..., 0, 0]
    assert torch.equal(shown, scaled.to(torch.uint8))


def test_what_cannot_be_is_one_line(run, latents, model, files, tmp_path) -> None:
    output = ("-o", tmp_path / "d.safetensors")
    calls = {
        "name the directions otherwise": ("directions", latents, "-o", tmp_path / "d.png"),
        "no attribute 'beauty'": ("directions", latents, *output, "--attribute", "beauty"),
        "method must be least_squares": ("directions", latents, *output, "--method", "magic"),
        "method must be one of": ("score", *files, "-m", model, "--method", "x"),
        "typicality needs the mean": ("score", *files, "-m", model, "--method", "typicality"),
    }
    for message, arguments in calls.items():
        status, _, error = run(*arguments)
        assert status == 2
        assert message in error
        assert error.count("\n") == 1
