import pytest
import torch

from zoo.exact.patterns import hard_kinds, mosaics
from zoo.images import hard_images


@pytest.mark.parametrize(("channels", "size"), [(1, (28, 28)), (3, (32, 32)), (3, (2, 6))])
def test_hard_images_are_distinct_uint8_images_of_any_size(channels, size) -> None:
    natural = torch.randint(0, 256, (9, channels, *size), dtype=torch.uint8)
    images = hard_images(channels, size, natural)
    assert images.shape[1:] == (channels, *size)
    assert images.dtype == torch.uint8
    assert len(images) >= 80
    if min(size) > 8:
        assert len(images.flatten(1).unique(dim=0)) == len(images)


def test_every_kind_is_what_it_is_called() -> None:
    natural = torch.randint(0, 256, (9, 3, 16, 24), dtype=torch.uint8)
    kinds = hard_kinds(3, (16, 24), natural)
    assert all((image == image[0, 0, 0]).all() for image in kinds["flat"])
    for dot in kinds["dots"]:
        assert min(int((dot[0] == value).sum()) for value in (0, 255)) == 1
    for board in kinds["checkerboards"]:
        grey = board[0].int()
        assert (grey == grey.roll((grey.shape[0] // 2,), (0,))).all()
        assert grey.unique().numel() == 2
    across = sum(bool((stripes[0] == stripes[0, :1]).all()) for stripes in kinds["stripes"])
    down = sum(bool((stripes[0] == stripes[0, :, :1]).all()) for stripes in kinds["stripes"])
    assert across == down == len(kinds["stripes"]) / 2
    assert all(len(ramp.unique()) >= 16 for ramp in kinds["ramps"])
    assert all(len(image.unique()) == 2 for image in kinds["two values"])
    assert all(set(colour.unique().tolist()) == {0, 255} for colour in kinds["colours"])
    assert torch.equal(kinds["negated"], 255 - natural[:8])
    for image, shuffled in zip(natural, kinds["shuffled"], strict=False):
        assert torch.equal(image.flatten(1).sort().values, shuffled.flatten(1).sort().values)
        assert not torch.equal(image, shuffled)


def test_grey_images_have_no_saturated_colours_and_seeds_repeat() -> None:
    assert "colours" not in hard_kinds(1, (8, 8))
    assert torch.equal(hard_images(1, (8, 8)), hard_images(1, (8, 8)))
    assert not torch.equal(hard_images(1, (8, 8)), hard_images(1, (8, 8), seed=1))


def test_a_mosaic_is_of_four_images() -> None:
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 2, 3, 4)
    large = mosaics(images)
    assert large.shape == (5, 2, 6, 8)
    assert large[0, 0, ::3, ::4].flatten().tolist() == [0, 1, 2, 3]
