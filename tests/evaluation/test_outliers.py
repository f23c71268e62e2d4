import torch
from torch import Tensor

from tests.test_flow import noise, tiny
from zoo import Flow
from zoo.evaluation.outliers import compared_sets, histograms
from zoo.flow.scores import coded_bits


def test_every_image_is_in_one_bin_and_fewer_bits_are_likelier() -> None:
    flow, images = tiny(), noise(5)
    sets = compared_sets(images, {"other": noise(7)})
    assert {name: tuple(found.shape) for name, found in sets.items()} == {
        "test split": (5, 1, 8, 12),
        "other": (7, 1, 8, 12),
        "constant": (256, 1, 8, 12),
    }
    both = histograms(flow, sets, batch_size=100, seed=3, progress=lambda *_: None)
    found, complexity = both["likelihood_histogram"], both["complexity_histogram"]
    scores = {name: bits_per_dim(flow, images) for name, images in sets.items()}
    median = sorted(scores["test split"])[2]
    for name, measured in found["sets"].items():
        assert measured["counts"] == counts([4 * score for score in scores[name]])
        coded = coded_bits(sets[name]).tolist()
        above = [4 * (a - b + 6) for a, b in zip(scores[name], coded, strict=True)]
        assert complexity["sets"][name] == {"images": len(above), "counts": counts(above)}
        assert measured["bits_per_dim_lowest"] == min(scores[name])
        likelier = sum(score < median for score in scores[name])
        assert measured["likelier_share"] == likelier / len(scores[name])


def test_no_codec_means_no_complexity() -> None:
    flow = tiny(channels=4)
    sets = {"test split": noise(3, 4)}
    found = histograms(flow, sets, batch_size=3, seed=0, progress=lambda *_: None)
    assert set(found) == {"likelihood_histogram"}


def counts(places: list[float]) -> list[int]:
    """Number of scores in each of 48 bins, from their places; the ends also hold what is beyond."""
    found = [0] * 48
    for place in places:
        found[min(max(int(place), 0), 47)] += 1
    return found


def bits_per_dim(flow: Flow, images: Tensor) -> list[float]:
    """Bits/dim of each image, drawn as the histogram draws."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        scores = [flow.bits_per_dim(part, generator=generator) for part in images.split(100)]
    return torch.cat(scores).tolist()
