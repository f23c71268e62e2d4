"""Tables of real vectors: MAF's five, from the user's files, and two that scikit-learn ships.

MAF's files are laid out as its archive has them, and prepared as its paper and code prepare them
(Papamakarios et al., Masked autoregressive flow for density estimation, 2017, appendix D):

    power/data.npy    miniboone/data.npy    hepmass/1000_train.csv, 1000_test.csv
    BSDS300/BSDS300.hdf5    gas/ethylene_CO.npy, converted, for a pickle can run code: once, where
    you trust it, pandas.read_pickle("ethylene_CO.pickle").drop(columns=["Meth", "Eth", "Time"])
    and numpy.save of its to_numpy()
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from zoo.data import Images, loader
from zoo.errors import DataError, suggest
from zoo.files import user_path
from zoo.training.sampler import training_loader

Array = NDArray[np.float64]


class Table(NamedTuple):
    """Rows of a data set, (N, D) each."""

    train: Array
    val: Array
    test: Array


def load_table(name: str, directory: str | Path) -> Table:
    """A data set in its three splits.

    Args:
        name: One of `TABLES`.
        directory: Folder of MAF's files; "breast_cancer" and "patches" need none.

    Raises:
        DataError: If the name is unknown, or a file or package is missing or damaged.
    """
    if name not in TABLES:
        raise DataError(f"no table {name!r}.{suggest(name, TABLES)}")
    try:
        table = TABLES[name](user_path(directory))
    except ImportError as error:
        package = str(error.name).partition(".")[0].replace("sklearn", "scikit-learn")
        raise DataError(f"{name} needs {package}: pip install {package}.") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"{name} cannot be read: {error}. See zoo/tabular/tables.py for the files' layout."
        ) from error
    return table


def _power(directory: Path) -> Table:
    """Household power: shuffled, two columns dropped, noise of each column's resolution added."""
    rng = np.random.RandomState(42)  # MAF's, so that the splits are its own
    rows = np.load(directory / "power" / "data.npy", allow_pickle=False).astype(np.float64)
    rng.shuffle(rows)
    rows = rows[:, [0, 2, 4, 5, 6, 7]]
    voltage, power, meters = (rng.rand(len(rows), columns) for columns in (1, 1, 3))
    rows[:, :5] += np.hstack([0.001 * power, 0.01 * voltage, meters])
    return _standardised(_tail_splits(rows), by_val_too=True)


def _gas(directory: Path) -> Table:
    """Gas sensors: of columns correlated above 0.98 one is kept."""
    rows = np.load(directory / "gas" / "ethylene_CO.npy", allow_pickle=False).astype(np.float64)
    while True:
        crowded = (np.corrcoef(rows.T) > 0.98).sum(1) > 1
        if not crowded.any():
            break
        rows = np.delete(rows, crowded.argmax(), axis=1)
    return _tail_splits((rows - rows.mean(0)) / rows.std(0))


def _hepmass(directory: Path) -> Table:
    """Particle collisions: signal only, columns with a lumped lowest value dropped."""
    train, test = (
        np.loadtxt(directory / "hepmass" / f"1000_{split}.csv", delimiter=",", skiprows=1)
        for split in ("train", "test")
    )
    train, test = (rows[rows[:, 0] == 1][:, 1 : train.shape[1]] for rows in (train, test))
    smooth = (train == train.min(0)).sum(0) <= 5
    train, val = _cut(train[:, smooth])
    return _standardised(Table(train, val, test[:, smooth]), by_val_too=True)


def _miniboone(directory: Path) -> Table:
    """Neutrino events, cleaned in the file already."""
    rows = np.load(directory / "miniboone" / "data.npy", allow_pickle=False).astype(np.float64)
    return _standardised(_tail_splits(rows), by_val_too=True)


def _bsds300(directory: Path) -> Table:
    """Image patches, split in the file already."""
    import h5py

    with h5py.File(directory / "BSDS300" / "BSDS300.hdf5", "r") as file:
        return Table(
            *(np.asarray(file[name], np.float64) for name in ("train", "validation", "test"))
        )


def _breast_cancer(directory: Path) -> Table:
    """Wisconsin breast cancer: 569 tumours, 30 measurements of cell nuclei each."""
    from sklearn.datasets import load_breast_cancer

    rows = load_breast_cancer().data
    return _standardised(_tail_splits(np.random.default_rng(0).permutation(rows)))


def _patches(directory: Path) -> Table:
    """8 x 8 patches of scikit-learn's two photographs, 63 numbers each, prepared as BSDS300's.

    Green channel, uniform noise, scaled to [0, 1], the mean subtracted, the last pixel dropped.
    """
    from sklearn.datasets import load_sample_images

    rng = np.random.default_rng(0)
    images = np.stack([image[:424, :, 1] for image in load_sample_images().images])
    tiles = images.reshape(2, 53, 8, 80, 8).swapaxes(2, 3).reshape(-1, 64)
    pixels = (tiles + rng.random(tiles.shape)) / 256
    return _tail_splits(rng.permutation(pixels - pixels.mean(1, keepdims=True))[:, :-1])


TABLES: dict[str, Callable[[Path], Table]] = {
    "power": _power,
    "gas": _gas,
    "hepmass": _hepmass,
    "miniboone": _miniboone,
    "bsds300": _bsds300,
    "breast_cancer": _breast_cancer,
    "patches": _patches,
}


def _cut(rows: Array) -> tuple[Array, Array]:
    """All but the last tenth, and the last tenth."""
    count = len(rows) // 10
    return rows[: len(rows) - count], rows[len(rows) - count :]


def _tail_splits(rows: Array) -> Table:
    rest, test = _cut(rows)
    return Table(*_cut(rest), test)


def _standardised(table: Table, *, by_val_too: bool = False) -> Table:
    """Mean 0 and variance 1 per column, by the training rows, or as MAF by validation's too."""
    reference = np.vstack([table.train, table.val]) if by_val_too else table.train
    mean, std = reference.mean(0), reference.std(0)
    return Table(*((rows - mean) / std for rows in table))


class TabularData(L.LightningDataModule):
    """Batches of standardised rows (B, D), float32.

    Args:
        name: power, gas, hepmass, miniboone, bsds300, breast_cancer or patches.
        dir: Folder of MAF's files, for the first five.
        batch_size: Rows per training batch.
        eval_batch_size: Rows per validation and test batch.
    """

    def __init__(
        self,
        name: str = "patches",
        dir: str = "data",
        batch_size: int = 256,
        eval_batch_size: int = 5000,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str) -> None:
        if not hasattr(self, "splits"):
            table = load_table(self.hparams["name"], self.hparams["dir"])
            self.splits = {
                split: Images(torch.from_numpy(rows).float())
                for split, rows in table._asdict().items()
            }

    def train_dataloader(self) -> DataLoader[Tensor]:
        return training_loader(self.splits["train"], self.hparams["batch_size"], self.trainer)

    def val_dataloader(self) -> DataLoader[Tensor]:
        return loader(self.splits["val"], self.hparams["eval_batch_size"])

    def test_dataloader(self) -> DataLoader[Tensor]:
        return loader(self.splits["test"], self.hparams["eval_batch_size"])
