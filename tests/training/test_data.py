import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from zoo.errors import DataError
from zoo.training import data
from zoo.training.data import ImageData, load_images
from zoo.training.metrics import BitsPerDim


def official(monkeypatch, name: str, directory: Path, files: dict[str, bytes]) -> None:
    """Write files and declare them the official ones of a data set."""
    source = data.SOURCES[name]
    folder = directory / source.folder
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    md5 = {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
    splits = {split: {f: md5[f] for f in names} for split, names in source.files.items()}
    monkeypatch.setitem(data.SOURCES, name, replace(source, files=splits))


def idx(images: torch.Tensor) -> bytes:
    return struct.pack(">HBBIII", 0, 8, 3, *images.shape) + bytes(images.flatten().tolist())


def test_mnist_s_format_is_read(monkeypatch, tmp_path: Path) -> None:
    images = torch.randint(0, 256, (7, 28, 28), dtype=torch.uint8)
    files = {"train-images-idx3-ubyte": idx(images), "t10k-images-idx3-ubyte": idx(images[:2])}
    official(monkeypatch, "mnist", tmp_path, files)
    assert torch.equal(load_images("mnist", tmp_path, "train"), images[:, None])
    assert torch.equal(load_images("mnist", tmp_path, "test"), images[:2, None])


def test_cifar10_s_format_is_read(monkeypatch, tmp_path: Path) -> None:
    images = torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8)
    records = [bytes([9, *image.flatten().tolist()]) for image in images]
    files = {f"data_batch_{i + 1}.bin": records[i] for i in range(5)}
    official(monkeypatch, "cifar10", tmp_path, {**files, "test_batch.bin": records[5]})
    assert torch.equal(load_images("cifar10", tmp_path, "train"), images[:5])
    assert torch.equal(load_images("cifar10", tmp_path, "test"), images[5:])


@pytest.fixture
def no_network(monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(data, "download_and_extract_archive", refuse)


@pytest.mark.parametrize("name", data.SOURCES)
def test_missing_files_without_network_are_named(name: str, no_network, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load_images(name, tmp_path, "train")
    message = str(error.value)
    assert all(file in message for file in data.SOURCES[name].files["train"])
    assert str(tmp_path / data.SOURCES[name].folder) in message
    assert "no route to host" in message


def test_a_damaged_file_is_named(monkeypatch, no_network, tmp_path: Path) -> None:
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    files = {"train-images-idx3-ubyte": idx(images), "t10k-images-idx3-ubyte": idx(images)}
    official(monkeypatch, "mnist", tmp_path, files)
    path = tmp_path / "MNIST/raw/t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="^mnist: t10k-images-idx3-ubyte missing or damaged"):
        load_images("mnist", tmp_path, "test")


def test_missing_files_are_downloaded_from_the_first_mirror_that_answers(
    monkeypatch, tmp_path: Path
) -> None:
    images = torch.zeros(2, 28, 28, dtype=torch.uint8)
    files = {"train-images-idx3-ubyte": idx(images), "t10k-images-idx3-ubyte": idx(images)}
    official(monkeypatch, "mnist", tmp_path / "source", files)
    asked: list[str] = []

    def download(url: str, folder: str, md5: str) -> None:
        asked.append(url)
        if "ossci" in url:
            raise OSError("down")
        name = url.rsplit("/", 1)[1].removesuffix(".gz")
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_bytes(files[name])

    monkeypatch.setattr(data, "download_and_extract_archive", download)
    assert load_images("mnist", tmp_path, "test").shape == (2, 1, 28, 28)
    assert len(asked) == 4


def test_unknown_names_are_suggested_for() -> None:
    with pytest.raises(DataError, match="no data set 'minst'. Did you mean mnist"):
        load_images("minst", ".", "train")


def test_validation_is_split_from_train_once_and_for_all() -> None:
    first, second = (ImageData("digits", val_images=100) for _ in range(2))
    other = ImageData("digits", val_images=100, seed=1)
    for module in (first, second, other):
        module.setup("fit")
    assert torch.equal(first.val.images, second.val.images)
    assert not torch.equal(first.val.images, other.val.images)
    together = torch.cat([first.train.images, first.val.images]).flatten(1)
    everything = load_images("digits", "", "train").flatten(1)
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, everything.tolist()))
    first.setup("test")
    assert torch.equal(first.test.images, load_images("digits", "", "test"))


def test_batches_are_uint8_and_shuffled_only_in_training() -> None:
    module = ImageData("digits", batch_size=32, eval_batch_size=40, val_images=100)
    module.setup("fit")
    batches = list(module.train_dataloader())
    assert {tuple(batch.shape) for batch in batches} == {(32, 1, 8, 8)}
    assert {batch.dtype for batch in batches} == {torch.uint8}
    assert torch.equal(torch.cat(list(module.val_dataloader())), module.val.images)
    assert not torch.equal(next(iter(module.train_dataloader())), module.train.images[:32])


@pytest.mark.parametrize("count", [0, 1500, -1])
def test_a_validation_split_of_nothing_or_everything_is_refused(count: int) -> None:
    with pytest.raises(DataError, match="val_images must be between 1 and 1499"):
        ImageData("digits", val_images=count).setup("fit")


def test_bits_per_dim_metric_is_the_mean_over_images_not_batches() -> None:
    values = torch.rand(50, dtype=torch.float64) * 3
    metric = BitsPerDim()
    for part in values.split(7):
        metric.update(part)
    assert float(metric.compute()) == pytest.approx(float(values.mean()), rel=1e-12)
