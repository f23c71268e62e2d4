import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import zoo
from tests.folders import UNPUBLISHED, folder_of, read_config, read_golden
from tests.test_flow import tiny
from zoo.errors import ArgumentError, ImageError, UnknownModelError, WeightsError
from zoo.exact.patterns import hard_images
from zoo.folder import content_hash, make_golden
from zoo.folder.model_folder import FIGURES
from zoo.sources import MODELS

PRETRAINED = zoo.list_models(pretrained=True)


def test_the_missions_models_are_pretrained() -> None:
    assert {"cinc_mnist", "cinc_quad_mnist", "finc_mnist"} <= set(PRETRAINED)


def test_every_registered_model_can_be_built() -> None:
    for name, model in MODELS.items():
        conditional = "_conditional" * bool(model.config.classes)
        large = "_large" * model.preset.startswith("large_")
        assert name == f"{model.architecture}_{model.dataset}{conditional}{large}"
        assert name.isidentifier()
        config = model.config
        assert zoo.load(name, pretrained=False).config == config


@pytest.mark.usefixtures("unpublished")
def test_models_are_listed_by_pattern() -> None:
    assert zoo.list_models() == sorted(MODELS)
    assert zoo.list_models("finc_*mnist") == ["finc_fashion_mnist", "finc_mnist"]
    assert set(zoo.list_models(pretrained=True)) == set(zoo.list_models()) - {UNPUBLISHED}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "finc_mnits",
            r"no model 'finc_mnits'. Did you mean finc_mnist.*list_models\(\) lists all",
        ),
        ("./model_cards/finc_mnist", "For a folder write local-dir:PATH"),
        ("C:\\models", "local-dir:PATH"),
        ("s3:bucket", "local-dir:PATH"),
        ("", "no model ''"),
    ],
)
def test_unknown_sources_say_what_to_do(source: str, message: str) -> None:
    with pytest.raises(UnknownModelError, match=message):
        zoo.load(source)


def test_a_path_is_no_source() -> None:
    with pytest.raises(ArgumentError, match='for a folder write "local-dir:model_cards"'):
        zoo.load(Path("model_cards"))


@pytest.mark.usefixtures("unpublished")
def test_pretrained_never_means_random() -> None:
    message = f"no weights of {UNPUBLISHED} .* Pretrained are: .*finc_mnist"
    with pytest.raises(WeightsError, match=message):
        zoo.load(UNPUBLISHED)


# One schema for every set of published weights.


@pytest.mark.parametrize("name", PRETRAINED)
def test_published_weights_are_what_they_claim(name: str) -> None:
    folder, model = folder_of(name), MODELS[name]
    config = read_config(folder)
    flow = zoo.load(name)
    assert config["sha256"] == model.sha256 == content_hash(flow.state_dict())
    assert f"`{model.sha256}`" in (folder / "README.md").read_text()
    assert config["name"] == name
    assert config["dataset"] == model.dataset
    assert flow.config == model.config
    assert {path.name for path in folder.iterdir()} - {"notes.md"} == {
        "README.md",
        "config.json",
        "eval.json",
        "golden.safetensors",
        "model.safetensors",
        "notebook.ipynb",
        "recipe.yaml",
        *FIGURES,
    }
    weights = (folder / "model.safetensors").stat().st_size
    assert weights <= (40e6 if name.endswith("_large") else 12 * 2**20)
    others = (4 if model.dataset == "photos" else 3) * 2**20  # golden images are 4 times as large
    assert sum(path.stat().st_size for path in folder.iterdir()) < weights + others


@pytest.mark.parametrize("name", PRETRAINED)
def test_published_evaluations_keep_the_contract(name: str) -> None:
    evaluation = json.loads((folder_of(name) / "eval.json").read_text())
    assert evaluation["sha256"] == MODELS[name].sha256
    assert evaluation["split"] == "test"
    assert evaluation["exact_share"] == 1
    assert evaluation["finite_sample_share"] == 1
    photographs = MODELS[name].dataset == "photos"
    assert evaluation["protocol"]["images"] == (1_008 if photographs else 10_000)
    assert evaluation.get("every", 1) == (9 if photographs else 1)
    hostile = evaluation["hostile"].values()
    assert all(found["exact"] == found["images"] > 0 for found in hostile)
    assert all(found["refused"] == 0 for found in hostile)
    assert evaluation["hostile"]["patterns"]["kept"] == 0
    assert evaluation["bits_per_dim_weighted"] < evaluation["bits_per_dim"]
    assert evaluation["parameters"] == sum(p.numel() for p in zoo.load(name).parameters())


@pytest.mark.parametrize("name", PRETRAINED)
def test_golden_tensors_reproduce(name: str) -> None:
    read_golden(folder_of(name)).check(zoo.load(name))


def test_golden_tensors_recognise_another_flow(tmp_path) -> None:
    flow = tiny()
    golden = make_golden(flow)
    golden.check(flow)
    other = copy.deepcopy(flow)
    with torch.no_grad():
        next(other.parameters()).add_(1e-3)
    with pytest.raises(WeightsError, match="does not reproduce golden.safetensors"):
        golden.check(other)
    with pytest.raises(ImageError, match=r"\(B, 3, H, W\)"):
        golden.check(tiny(channels=3))
    with pytest.raises(WeightsError, match="missing or damaged"):
        read_golden(tmp_path)
    save_file({"images": golden.images}, tmp_path / "golden.safetensors")
    with pytest.raises(WeightsError, match="missing or damaged"):
        read_golden(tmp_path)


@pytest.mark.parametrize("name", PRETRAINED)
def test_published_flows_encode_anything_exactly_at_other_sizes(name: str) -> None:
    """At their own, golden.safetensors has hard images, and eval.json counted all of them."""
    flow = zoo.load(name)
    for size in [(64, 16), (flow.divisor, flow.divisor)]:
        images = hard_images(flow.config.channels, size)
        assert torch.equal(flow.decode(flow.encode(images), size), images)


def test_latents_decode_in_another_process_and_batch_size(tmp_path) -> None:
    """A flow of each architecture, and the largest images."""
    kinds = {MODELS[name].architecture: name for name in PRETRAINED if name.endswith("_mnist")}
    names = [*kinds.values(), "finc_photos"]
    images = {name: read_golden(folder_of(name)).images for name in names}
    latents = {name: zoo.load(name).encode(images[name]) for name in names}
    torch.save(latents, tmp_path / "latents.pt")
    script = (
        "import sys, torch, zoo; torch.set_num_threads(1); latents = torch.load(sys.argv[1])\n"
        "def decode(flow, z): return torch.cat([flow.decode(part) for part in z.split(3)])\n"
        "images = {name: decode(zoo.load(name), z) for name, z in latents.items()}\n"
        "torch.save(images, sys.argv[2])"
    )
    paths = [str(tmp_path / "latents.pt"), str(tmp_path / "images.pt")]
    subprocess.run([sys.executable, "-c", script, *paths], check=True)
    decoded = torch.load(paths[1])
    assert [name for name in names if not torch.equal(decoded[name], images[name])] == []
