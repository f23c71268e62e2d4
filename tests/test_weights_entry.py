"""Names that users of torchvision and torch.hub know: versions, DEFAULT, meta, url, transforms."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hubconf
import zoo
from tests.folders import UNPUBLISHED, folder_of
from zoo.errors import ArgumentError, ImageError, UnknownModelError, WeightsError
from zoo.folder.model_folder import WEIGHTS
from zoo.sources import MODELS, names

VERSION = f"V{MODELS['finc_mnist'].version}"


def hub(name: str, **options: object) -> zoo.Flow:
    return getattr(hubconf, name)(**options)


def same(a: zoo.Flow, b: zoo.Flow) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


# torch.hub.


@pytest.mark.parametrize("options", [{}, {"weights": "DEFAULT"}, {"weights": VERSION}])
def test_entrypoints_load_published_weights_by_default_and_by_version(options) -> None:
    assert same(hub("finc_mnist", **options), zoo.load("finc_mnist"))


@pytest.mark.usefixtures("unpublished")
def test_entrypoints_without_weights_build_the_flow() -> None:
    assert hub(UNPUBLISHED).config == MODELS[UNPUBLISHED].config
    assert hub(UNPUBLISHED).origin is None
    for options in ({"pretrained": True}, {"weights": "DEFAULT"}):
        with pytest.raises(WeightsError, match=f"no weights of {UNPUBLISHED}"):
            hub(UNPUBLISHED, **options)


def test_another_version_is_refused() -> None:
    with pytest.raises(UnknownModelError, match=rf"has the weights {VERSION} \(DEFAULT\), not V7"):
        hub("finc_mnist", weights="V7")


@pytest.mark.usefixtures("unpublished")
def test_weights_that_replace_others_are_the_next_version(monkeypatch) -> None:
    model = MODELS["finc_mnist"]
    assert names._next_version("finc_mnist", model.sha256) == model.version
    assert names._next_version("finc_mnist", "another") == model.version + 1
    assert names._next_version(UNPUBLISHED, "the first") == 1
    assert names._next_version("new_mnist", "the first") == 1


# zoo.get_weights.


def test_facts_are_those_of_the_files() -> None:
    weights = zoo.get_weights("finc_mnist")
    flow = zoo.load("finc_mnist")
    assert str(weights) == f"finc_mnist.{VERSION}"
    assert (
        zoo.get_weights(f"finc_mnist.{VERSION}") == zoo.get_weights("finc_mnist.DEFAULT") == weights
    )
    assert weights.meta["sha256"] == MODELS["finc_mnist"].sha256
    assert weights.meta["num_params"] == sum(p.numel() for p in flow.parameters())
    assert weights.meta["metrics"] == {
        "bits_per_dim": pytest.approx(1.113, abs=5e-4),
        "exact_share": 1,
        "finite_sample_share": 1,
    }
    assert weights.url == (
        f"https://github.com/OWNER/flowzoo/raw/v{zoo.__version__}/model_cards/finc_mnist/{WEIGHTS}"
    )


def test_a_folder_has_weights_too() -> None:
    weights = zoo.get_weights(f"local-dir:{folder_of('finc_mnist')}")
    assert Path(weights.url.removeprefix("file://")) == folder_of("finc_mnist") / WEIGHTS
    assert weights.meta == zoo.get_weights("finc_mnist").meta


@pytest.mark.usefixtures("unpublished")
@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("finc_mnits", UnknownModelError, "Did you mean finc_mnist"),
        ("finc_mnist.V7", UnknownModelError, "not V7"),
        (UNPUBLISHED, WeightsError, f"no weights of {UNPUBLISHED}"),
        (f"{UNPUBLISHED}.V1", WeightsError, f"no weights of {UNPUBLISHED}"),
        (Path("models"), ArgumentError, "a source is a string"),
    ],
)
def test_names_that_have_no_weights(name, error, message: str) -> None:
    with pytest.raises(error, match=message):
        zoo.get_weights(name)


# The transforms.


def test_pictures_of_the_flow_s_size_stay_as_they_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(tmp_path / "a.png")
    batch = zoo.get_weights("finc_mnist").transforms()([picture, tmp_path / "a.png"])
    assert batch.dtype == torch.uint8
    assert batch.shape == (2, 1, 28, 28)
    assert all(np.array_equal(image[0], pixels) for image in batch)


def test_other_pictures_are_cropped_resized_and_made_rgb(tmp_path: Path) -> None:
    pixels = np.zeros((64, 128), dtype=np.uint8)
    pixels[:, 32:96] = 200  # the central square
    transforms = zoo.get_weights("finc_cifar10").transforms()
    batch = transforms(Image.fromarray(pixels))
    assert batch.shape == (1, 3, 32, 32)
    assert (batch.int() - 200).abs().max() < 20, "no black from beside the square"
    flow = zoo.load("finc_cifar10")
    assert torch.equal(flow.decode(flow.encode(batch)), batch)


def test_a_picture_is_turned_upright(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(np.rot90(pixels).copy()).save(tmp_path / "a.png", exif=exif)
    transforms = zoo.get_weights("finc_mnist").transforms()
    for picture in (tmp_path / "a.png", Image.open(tmp_path / "a.png")):
        assert np.array_equal(transforms(picture)[0, 0], pixels)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([], "there are no pictures"),
        ("missing.png", "there is no file missing.png"),
        (Image.new("I;16", (28, 28)), "more than 8 bits per channel"),
    ],
    ids=["none", "missing", "16 bits"],
)
def test_what_is_no_picture_is_refused(pictures, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        zoo.get_weights("finc_mnist").transforms()(pictures)


# The names of the Hub's client.


def test_from_pretrained_and_save_pretrained(tmp_path: Path) -> None:
    flow = zoo.Flow.from_pretrained("finc_mnist")
    assert same(flow, zoo.load("finc_mnist"))
    flow.save_pretrained(tmp_path / "mine")
    mine = zoo.Flow.from_pretrained(f"local-dir:{tmp_path / 'mine'}")
    assert same(mine, flow)
    assert mine.about["dataset"] == "mnist"


def test_changed_weights_are_saved_with_their_data_set(tmp_path: Path) -> None:
    flow = zoo.load("finc_mnist")
    with torch.no_grad():
        next(flow.parameters()).mul_(1.001)
    with pytest.raises(ArgumentError, match="dataset is the name of a data set"):
        flow.save_pretrained(tmp_path / "mine")


@pytest.mark.parametrize("dataset", [5, None, ["mnist"]], ids=str)
def test_a_data_set_without_a_name_is_not_saved(dataset, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="dataset is the name of a data set"):
        zoo.load("finc_mnist", pretrained=False).save(tmp_path / "mine", dataset=dataset)
    assert not list(tmp_path.iterdir())
