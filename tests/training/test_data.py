from pathlib import Path

import pytest
import torch

from tests.training.official import noise, write_cifar10, write_idx
from zoo.data import list_datasets, load_images
from zoo.data.official import SOURCES
from zoo.errors import ArgumentError, DataError
from zoo.training.image_data import ImageData
from zoo.training.metrics import BitsPerDim


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_idx_format_is_read(name: str, monkeypatch, tmp_path: Path) -> None:
    images = noise(7, 28, 28)
    write_idx(monkeypatch, name, tmp_path, images, images[:2])
    assert torch.equal(load_images(name, tmp_path, "train"), images[:, None])
    assert torch.equal(load_images(name, tmp_path, "test"), images[:2, None])


def test_cifar10_s_format_is_read(monkeypatch, tmp_path: Path) -> None:
    images = noise(6, 3, 32, 32)
    write_cifar10(monkeypatch, tmp_path, images[:5], images[5:])
    assert torch.equal(load_images("cifar10", tmp_path, "train"), images[:5])
    assert torch.equal(load_images("cifar10", tmp_path, "test"), images[5:])


@pytest.fixture
def no_network(monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", refuse)


@pytest.mark.parametrize("name", SOURCES)
def test_missing_files_without_network_are_named(name: str, no_network, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load_images(name, tmp_path, "train")
    message = str(error.value)
    assert all(file in message for file in SOURCES[name].files["train"])
    assert str(tmp_path / SOURCES[name].folder) in message
    assert "no route to host" in message


def test_a_damaged_file_is_named(monkeypatch, no_network, tmp_path: Path) -> None:
    images = noise(2, 28, 28)
    write_idx(monkeypatch, "mnist", tmp_path, images, images)
    path = tmp_path / "MNIST/raw/t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="^mnist: t10k-images-idx3-ubyte missing or damaged"):
        load_images("mnist", tmp_path, "test")


def test_missing_files_are_downloaded_from_the_first_mirror_that_answers(
    monkeypatch, tmp_path: Path
) -> None:
    images = noise(2, 28, 28)
    write_idx(monkeypatch, "mnist", tmp_path / "source", images, images)
    asked: list[str] = []

    def download(url: str, folder: str, md5: str) -> None:
        asked.append(url)
        if "ossci" in url:
            raise OSError("down")
        name = url.rsplit("/", 1)[1].removesuffix(".gz")
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / name).write_bytes((tmp_path / "source/MNIST/raw" / name).read_bytes())

    monkeypatch.setattr("torchvision.datasets.utils.download_and_extract_archive", download)
    assert load_images("mnist", tmp_path, "test").shape == (2, 1, 28, 28)
    assert ["images" in url for url in asked] == [True] * 4 + [False] * 2, "labels come last"


def test_unknown_names_are_suggested_for() -> None:
    with pytest.raises(DataError, match="no data set 'minst'. Did you mean mnist"):
        load_images("minst", ".", "train")


def test_the_options_name_every_data_set() -> None:
    assert ImageData.__doc__ is not None
    assert all(name in ImageData.__doc__ for name in list_datasets())


def test_validation_is_split_from_train_once_and_for_all() -> None:
    first, second = (ImageData("digits", val_images=100) for _ in range(2))
    other = ImageData("digits", val_images=100, seed=1)
    for module in (first, second, other):
        module.setup("fit")
    assert torch.equal(first.val[:], second.val[:])
    assert not torch.equal(first.val[:], other.val[:])
    together = torch.cat([first.train[:], first.val[:]]).flatten(1)
    everything = load_images("digits", "", "train").flatten(1)
    assert sorted(map(tuple, together.tolist())) == sorted(map(tuple, everything.tolist()))
    first.setup("test")
    assert torch.equal(first.test[:], load_images("digits", "", "test"))


def test_batches_are_uint8_and_shuffled_only_in_training() -> None:
    module = ImageData("digits", batch_size=32, eval_batch_size=40, val_images=100)
    module.setup("fit")
    batches = list(module.train_dataloader())
    assert {tuple(batch.shape) for batch in batches} == {(32, 1, 8, 8)}
    assert {batch.dtype for batch in batches} == {torch.uint8}
    assert torch.equal(torch.cat(list(module.val_dataloader())), module.val[:])
    assert not torch.equal(next(iter(module.train_dataloader())), module.train[:32])


def test_batches_are_gathered_from_one_tensor_which_is_not_copied() -> None:
    module = ImageData("digits", val_images=100)
    module.setup("fit")
    assert module.train.images.data_ptr() == module.val.images.data_ptr()
    batch = module.train.__getitems__([5, 0, 7])
    assert torch.equal(batch, torch.stack([module.train[5], module.train[0], module.train[7]]))


def test_fewer_images_than_a_batch_are_refused() -> None:
    module = ImageData("digits", val_images=100, batch_size=1401)
    module.setup("fit")
    with pytest.raises(DataError, match="1400 training images are fewer than a batch .* 1401"):
        module.train_dataloader()


def test_a_number_of_validation_images_may_be_written_as_a_float() -> None:
    module = ImageData("digits", val_images=1e2)
    module.setup("fit")
    assert len(module.val) == 100


@pytest.mark.parametrize("count", [0, 1500, -1])
def test_a_validation_split_of_nothing_or_everything_is_refused(count: int) -> None:
    with pytest.raises(DataError, match="Set data.val_images between 1 and 1499"):
        ImageData("digits", val_images=count).setup("fit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shift": -0.1}, "shift must be a share of the side"),
        ({"shift": 1.0}, "shift must be a share of the side"),
        ({"val_images": 1.5}, "data.val_images must be whole, or below 1; got 1.5"),
        ({"size": [8, 8, 3]}, "size must be a side, or height and width"),
    ],
)
def test_options_out_of_their_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ImageData("digits", **options)


def test_a_validation_split_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match="digits has no validation split of its own"):
        load_images("digits", "", "val")


def test_bits_per_dim_metric_is_the_mean_over_images_not_batches() -> None:
    values = torch.rand(50, dtype=torch.float64) * 3
    metric = BitsPerDim()
    for part in values.split(7):
        metric.update(part)
    assert float(metric.compute()) == pytest.approx(float(values.mean()), rel=1e-12)
