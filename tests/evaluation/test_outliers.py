import torch
from torch import Tensor

from tests.test_flow import noise, tiny
from zoo import Flow
from zoo.evaluation.outliers import compared_sets, likelihood_histogram


def test_every_image_is_in_one_bin_and_fewer_bits_are_likelier() -> None:
    flow, images = tiny(), noise(5)
    sets = compared_sets(images, {"other": noise(7)})
    assert {name: tuple(found.shape) for name, found in sets.items()} == {
        "test split": (5, 1, 8, 12),
        "other": (7, 1, 8, 12),
        "constant": (256, 1, 8, 12),
    }
    found = likelihood_histogram(flow, sets, batch_size=100, seed=3, progress=lambda *_: None)
    scores = {name: bits_per_dim(flow, images) for name, images in sets.items()}
    median = sorted(scores["test split"])[2]
    for name, measured in found["sets"].items():
        counts = [0] * 48
        for score in scores[name]:
            counts[min(int(score * 4), 47)] += 1
        assert measured["counts"] == counts
        assert measured["bits_per_dim_lowest"] == min(scores[name])
        likelier = sum(score < median for score in scores[name])
        assert measured["likelier_share"] == likelier / len(scores[name])


def bits_per_dim(flow: Flow, images: Tensor) -> list[float]:
    """Bits/dim of each image, drawn as the histogram draws."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        scores = [flow.bits_per_dim(part, generator=generator) for part in images.split(100)]
    return torch.cat(scores).tolist()
