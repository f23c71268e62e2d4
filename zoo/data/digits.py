"""scikit-learn's digits, 8 x 8: a data set to try things out with, which needs no files."""

from pathlib import Path

import torch
from torch import Tensor

from zoo.data.image_set import ImageSet, Split
from zoo.errors import DataError


class Digits(ImageSet):
    """1,797 grey images of 8 x 8, the first 1,500 to train on."""

    def load(self, directory: Path, split: Split) -> Tensor:
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise DataError("the digits are scikit-learn's: pip install scikit-learn.") from error
        images = torch.from_numpy(load_digits().images * 15).to(torch.uint8)[:, None]  # 0 .. 240
        return {"train": images[:1500], "test": images[1500:], "all": images}[split]
