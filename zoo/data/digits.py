"""scikit-learn's digits, 8 x 8: a data set to try things out with, which needs no files."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.errors import DataError

PARTS = {"train": slice(1500), "test": slice(1500, None), "all": slice(None)}


class Digits(ImageSet):
    """1,797 grey images of 8 x 8, the first 1,500 to train on."""

    def load(self, directory: Path, split: Split) -> Tensor:
        images = torch.from_numpy(_digits().images * 15).to(torch.uint8)[:, None]  # 0 .. 240
        return images[PARTS[split]]

    def labels(self, directory: Path, split: Split) -> list[int]:
        labels: list[int] = _digits().target[PARTS[split]].tolist()
        return labels


def _digits() -> Any:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits are scikit-learn's: pip install scikit-learn.") from error
    return load_digits()
