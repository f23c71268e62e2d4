"""Test images of another shape than the flow's."""

import pytest
import torch

from tests.test_flow import tiny
from zoo.errors import ImageError
from zoo.evaluation.evaluate import evaluate


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 8, 12)])
def test_they_are_refused(shape) -> None:
    with pytest.raises(ImageError, match=r"are \(\d, 8, \d+\), those of the flow are \(1, 8, 12\)"):
        evaluate(tiny(), torch.zeros(4, *shape, dtype=torch.uint8), {})
