"""Training of flows with classes: labels of every data set, resumption, export, evaluation."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import zoo
from tests.folders import export, read_config
from tests.training.official import (
    noise,
    picture,
    write_celeba,
    write_cifar10,
    write_idx,
    write_labels,
)
from tests.training.runs import OVERRIDES, run
from zoo.cards.markdown import percent
from zoo.data import catalogue
from zoo.data.labels import class_names, class_numbers
from zoo.data.loader import Images, unpack
from zoo.data.noise import dequantization_noise
from zoo.errors import ConfigError, DataError
from zoo.training.captured import captured
from zoo.training.checkpoints import read_checkpoint
from zoo.training.image_data import ImageData
from zoo.training.module import FlowModule

TEN = {**OVERRIDES, "classes": 10}
LENGTH = {"max_steps": 8, "val_check_interval": 4}


def train(folder: Path, *arguments: str, **changes) -> Path:
    """Train a flow with ten classes on digits for 8 steps; the last checkpoint."""
    model = {"overrides": TEN, "lr": 1e-2, "schedule": "constant", **changes.pop("model", {})}
    return run(folder, *arguments, model=model, trainer=LENGTH, **changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder of a run of 8 steps."""
    folder = tmp_path_factory.mktemp("trained")
    train(folder)
    return folder


def logged(folder: Path, name: str) -> dict[int, str]:
    """Values of a number by step."""
    rows = csv.DictReader((folder / "metrics.csv").open())
    return {int(row["step"]): row[name] for row in rows if row[name]}


# Runs.


def test_the_prior_is_trained_and_classification_is_logged(trained: Path) -> None:
    state = read_checkpoint(trained / "checkpoints/last.ckpt")["state_dict"]
    assert (state["flow.prior.mean"] != 0).all()
    assert (state["flow.prior.raw_log_scale"] != 0).all()
    shares = [float(share) for share in logged(trained, "val/accuracy").values()]
    assert len(shares) == 2
    assert all(0 <= share <= 1 for share in shares)


def test_a_resumed_run_is_the_uninterrupted_one(trained: Path, tmp_path: Path) -> None:
    last = train(tmp_path, "--ckpt_path", str(trained / "checkpoints/step=4.ckpt"))
    ours, theirs = (read_checkpoint(path) for path in (last, trained / "checkpoints/last.ckpt"))
    assert ours["global_step"] == theirs["global_step"] == 8
    assert_close(ours["state_dict"], theirs["state_dict"], rtol=0, atol=0)
    for name in ("train/bits_per_dim", "val/bits_per_dim", "val/accuracy"):
        found, wanted = logged(tmp_path, name), logged(trained, name)
        assert found == {step: wanted[step] for step in found} != {}


def test_a_run_of_other_classes_is_not_resumed(trained: Path, tmp_path: Path, monkeypatch) -> None:
    digits = catalogue.IMAGE_SETS["digits"]
    labels = type(digits).labels
    monkeypatch.setattr(
        type(digits), "labels", lambda *a: [f"digit {label}" for label in labels(*a)]
    )
    with pytest.raises(ConfigError, match=r"data.class_names is \[0, .*\] there and \['digit 0'"):
        train(tmp_path, "--ckpt_path", str(trained / "checkpoints/step=4.ckpt"))


def test_a_run_without_classes_is_not_resumed_with_them(trained: Path, tmp_path: Path) -> None:
    step = str(trained / "checkpoints/step=4.ckpt")
    with pytest.raises(ConfigError, match="another flow than the recipe's"):
        train(tmp_path, "--ckpt_path", step, model={"overrides": OVERRIDES})


def test_classes_are_learnt(tmp_path: Path) -> None:
    changes = {"max_steps": 150, "val_check_interval": 150}
    wide = {**TEN, "hidden_channels": 16}
    run(tmp_path, model={"overrides": wide, "lr": 1e-2, "schedule": "constant"}, trainer=changes)
    assert float(logged(tmp_path, "val/accuracy")[149]) > 0.5


def test_the_folder_knows_its_classes_and_is_measured(run, trained: Path, tmp_path: Path) -> None:
    folder = export(trained / "checkpoints/last.ckpt", tmp_path, data_dir=trained)
    assert read_config(folder)["class_names"] == list(range(10))
    flow = zoo.load(f"local-dir:{folder}")
    code, *said = run("evaluate", f"local-dir:{folder}", "--data-dir", trained, "--n-samples", 1)
    assert code == 0, said
    measured = json.loads((folder / "eval.json").read_text())
    images = zoo.data.load_images("digits", "", "test")
    labels = torch.tensor(catalogue.IMAGE_SETS["digits"].labels(Path(), "test"))
    seed = torch.Generator().manual_seed(0)
    found = [flow.classify(batch, generator=seed).argmax(1) for batch in images.split(250)]
    right = (torch.cat(found) == labels).double().mean()
    assert measured["accuracy"] == float(right)
    assert run("card", f"local-dir:{folder}")[0] == 0
    card = (folder / "README.md").read_text()
    assert f"Bayes' rule, 1 draw | {percent(float(right), 2)} |" in card
    assert "type: accuracy" in card
    assert run("sample", f"local-dir:{folder}", "--label", 3, "-o", tmp_path / "3.png")[0] == 0
    code, _, error = run("sample", f"local-dir:{folder}", "--label", 10, "-o", tmp_path / "x.png")
    assert (code, error.count("\n")) == (2, 1)
    assert "label must be a class from 0 to 9" in error


def test_classes_go_on_from_classes(trained: Path, tmp_path: Path) -> None:
    folder = export(trained / "checkpoints/last.ckpt", tmp_path / "models", data_dir=trained)
    start = ("--init_from", f"local-dir:{folder}")
    tuned = train(tmp_path / "tuned", *start, model={"lr": 0.0})
    key = "flow.prior.mean"
    before, after = (
        read_checkpoint(path)["state_dict"] for path in (trained / "checkpoints/last.ckpt", tuned)
    )
    assert torch.equal(before[key], after[key])
    with pytest.raises(ConfigError, match="classes is 10 there, None here"):
        train(tmp_path / "plain", *start, model={"overrides": OVERRIDES})


def test_a_captured_step_is_of_each_class(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda graphed, examples: graphed)
    module = FlowModule("finc", "compact_mnist", TEN)
    module.log = lambda *_, **__: None  # there is no trainer
    images, label = noise(4, 1, 8, 8), torch.arange(4)
    module.training_step((images, label), 0)
    expected = module.training_step((images, label), 0)
    module.captured = captured(module.flow, images)
    assert torch.equal(module.training_step((images, label), 0), expected)
    torch.nn.init.normal_(module.flow.prior.mean)
    losses = [module.training_step((images, label + i), 0) for i in (0, 1)]
    assert losses[0] != losses[1]


def test_batches_that_do_not_fit_the_flow_are_refused() -> None:
    images, label = noise(4, 1, 8, 8), torch.arange(4)
    for overrides, batch in ((TEN, images), (OVERRIDES, (images, label))):
        with pytest.raises(DataError, match="pairs of images and labels, and one without on"):
            FlowModule("finc", "compact_mnist", overrides).training_step(batch, 0)


def test_the_loss_is_bits_per_dim_of_the_class_and_weighted_bits_of_the_label() -> None:
    images, label = noise(4, 1, 8, 8), torch.tensor([3, 0, 9, 3])
    module = FlowModule("finc", "compact_mnist", TEN, label_weight=0.25)
    module.log = lambda *_, **__: None
    module.training_step((images, label), 0)
    torch.nn.init.normal_(module.flow.prior.mean)
    found = module.training_step((images, label), 0)
    drawn = dequantization_noise(images, 0, "train", 0)
    of_class = module.flow.bits_per_dim(images, noise=drawn, label=label).mean()
    rows = torch.arange(4)
    posterior = module.flow.classify(images, noise=drawn)[rows, label].mean()
    assert_close(found, of_class - 0.25 * posterior / math.log(2))
    module.hparams["label_weight"] = 0.0
    assert_close(module.training_step((images, label), 0), of_class)
    with pytest.raises(ConfigError, match="label_weight must be from 0 up; got -1"):
        FlowModule("finc", "compact_mnist", TEN, label_weight=-1)


def test_a_run_with_another_weight_of_labels_is_not_resumed(trained: Path, tmp_path: Path) -> None:
    step = str(trained / "checkpoints/step=4.ckpt")
    with pytest.raises(ConfigError, match=r"model.label_weight is 0.01 there and 0.5 here"):
        train(tmp_path, "--ckpt_path", step, model={"label_weight": 0.5})


# Data sets.


def labelled(data: ImageData, classes: int) -> ImageData:
    data.prepare_data()
    data.setup("fit")
    data.add_labels(classes)
    return data


def pairs(data: ImageData) -> set[tuple[bytes, int]]:
    """Images and labels of training and validation."""
    batches = [*data.train_dataloader(), *data.val_dataloader()]
    return {
        (image.numpy().tobytes(), int(label))
        for images, labels in batches
        for image, label in zip(images, labels, strict=True)
    }


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_labels_of_official_files_go_with_their_images(name, monkeypatch, tmp_path: Path) -> None:
    images, labels = noise(6, 28, 28), [3, 1, 1, 0, 2, 3]
    write_idx(monkeypatch, name, tmp_path, images, images)
    write_labels(monkeypatch, name, tmp_path, labels, labels)
    data = labelled(ImageData(name, str(tmp_path), batch_size=2, val_images=2), 4)
    expected = {(x.numpy().tobytes(), y) for x, y in zip(images, labels, strict=True)}
    assert pairs(data) == expected
    assert data.class_names == [0, 1, 2, 3]


def test_labels_of_cifar10_go_with_their_images(monkeypatch, tmp_path: Path) -> None:
    images = noise(10, 3, 32, 32)
    write_cifar10(monkeypatch, tmp_path, images, images)
    folder = tmp_path / "cifar-10-batches-bin"
    records = [bytes([i]) + x.numpy().tobytes() for i, x in enumerate(images)]
    for i in range(5):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(b"".join(records[2 * i : 2 * i + 2]))
    monkeypatch.setattr("zoo.data.official._damaged", lambda folder, files: [])
    data = labelled(ImageData("cifar10", str(tmp_path), batch_size=2, val_images=4), 10)
    assert pairs(data) == {(x.numpy().tobytes(), i) for i, x in enumerate(images)}


def write_folder(directory: Path, *names: str) -> None:
    for i, name in enumerate(names):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        picture(8, 8, seed=i).save(directory / name)


def test_classes_of_a_folder_are_its_sub_folders(tmp_path: Path) -> None:
    names = [f"{s}/{k}/{i}.png" for s in ("train", "val") for k in ("b", "a") for i in range(2)]
    write_folder(tmp_path, *names, "test/a/0.png")
    data = labelled(ImageData("folder", str(tmp_path), batch_size=2, size=8), 2)
    assert data.class_names == ["a", "b"]
    expected = {
        (noise(8, 8, 3, seed=i).permute(2, 0, 1).numpy().tobytes(), int(name.split("/")[1] == "b"))
        for i, name in enumerate(names)
    }
    assert pairs(data) == expected


def test_labels_go_through_augmentation(tmp_path: Path) -> None:
    last = train(tmp_path, data={"flips": "horizontal", "shift": 0.1})
    assert read_checkpoint(last)["global_step"] == 8


def test_batches_of_images_alone_are_what_they_were() -> None:
    rows, images = torch.tensor([4, 2, 0]), noise(5, 1, 2, 2)
    plain, with_labels = Images(images, rows), Images(images, rows)
    assert torch.equal(plain.__getitems__([0, 2]), images[[4, 0]])
    with_labels.labels = torch.tensor([10, 11, 12, 13, 14])
    found, labels = unpack(with_labels.__getitems__([0, 2]))
    assert torch.equal(found, images[[4, 0]])
    assert labels.tolist() == [14, 10]
    assert torch.equal(with_labels[:1], plain[:1])


# What is refused.


def test_data_sets_without_labels_say_so(monkeypatch, tmp_path: Path) -> None:
    message = r"the train split in .* lacks labels, and a flow with classes needs one of each"
    write_celeba(monkeypatch, tmp_path, {i: [picture(218, 178)] * 4 for i in range(3)})
    for split in ("train", "val", "test"):
        write_folder(tmp_path / "flat", f"{split}/0.png", f"{split}/1.png")
    some = ImageData("folder", str(tmp_path / "some"), size=8, val_images=1)
    write_folder(tmp_path / "some", "a/0.png", "a/1.png", *(f"{i}.png" for i in range(9)))
    for data in (
        ImageData("celeba64", str(tmp_path)),
        ImageData("folder", str(tmp_path / "flat"), size=8),
        ImageData("photos", str(tmp_path / "flat"), size=8),
        some,
    ):
        with pytest.raises(DataError, match=message):
            labelled(data, 2)


def test_missing_label_files_are_named(monkeypatch, tmp_path: Path) -> None:
    write_idx(monkeypatch, "mnist", tmp_path, noise(6, 28, 28), noise(6, 28, 28))
    data = ImageData("mnist", str(tmp_path), val_images=1)
    with (
        pytest.warns(UserWarning, match="no labels, train-labels-idx1-ubyte missing"),
        pytest.raises(DataError, match="lacks labels"),
    ):
        labelled(data, 3)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(DataError, match="the data set has 10 classes, the flow 9. Set classes to"):
        labelled(ImageData("digits", val_images=100), 9)


def test_labels_that_were_not_trained_on_are_refused() -> None:
    assert class_names(["b", "a", "b"], 2) == ["a", "b"]
    assert class_numbers(["b", "a"], ["a", "b"]).tolist() == [1, 0]
    with pytest.raises(DataError, match="label 'c' is none of the 2 classes .*: a, b"):
        class_numbers(["a", "c"], ["a", "b"])
