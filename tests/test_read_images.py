"""Pictures of any size: read from files, encoded as they are, and given back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from zoo.architectures.finc import FIncConfig
from zoo.errors import ArgumentError, ImageError, LatentError

CONFIG = FIncConfig(
    channels=3,
    size=(8, 12),
    levels=2,
    steps=1,
    hidden_channels=8,
    net_actnorm=False,
    preprocessing="center",
)


@pytest.fixture(scope="module")
def flow() -> zoo.Flow:
    torch.manual_seed(0)
    return zoo.build(CONFIG).eval()


def picture(path: Path, height: int, width: int, mode: str = "RGB") -> np.ndarray:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = np.random.default_rng(height).integers(0, 256, shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def test_files_are_read_as_they_are_in_the_flow_s_channels(flow, tmp_path) -> None:
    colours, grey = picture(tmp_path / "a.png", 5, 7), picture(tmp_path / "b.png", 9, 3, "L")
    first, second = zoo.read_images([tmp_path / "a.png", str(tmp_path / "b.png")], flow)
    assert torch.equal(first, torch.from_numpy(colours).permute(2, 0, 1))
    assert torch.equal(second, torch.from_numpy(grey).expand(3, -1, -1))


def test_a_folder_is_read_in_the_order_of_its_paths_and_the_skipped_counted(flow, tmp_path) -> None:
    for i, name in enumerate(("b.png", "a/c.png")):
        picture(tmp_path / name, 4 + i, 4)
    (tmp_path / "notes.txt").touch()
    with pytest.warns(UserWarning, match="1 file skipped, not named as images: 1 .txt"):
        images = zoo.read_images(tmp_path, flow)
    assert [tuple(image.shape) for image in images] == [(3, 5, 4), (3, 4, 4)]


@pytest.mark.parametrize(
    ("fit", "size"), [("pad", (20, 12)), ("crop", (8, 12)), ("resize", (8, 12))]
)
def test_a_fit_makes_what_every_method_takes(flow, tmp_path, fit, size) -> None:
    picture(tmp_path / "a.png", 17, 9)
    (image,) = zoo.read_images(tmp_path / "a.png", flow, fit)
    assert image.shape == (3, *size)


def test_cropping_takes_the_centre_and_keeps_the_ratio_of_sides(flow, tmp_path) -> None:
    pixels = np.zeros((16, 40, 3), np.uint8)
    pixels[:, 8:32] = 255  # 16 x 24, as 8 x 12
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (image,) = zoo.read_images(tmp_path / "a.png", flow, "crop")
    assert (image > 200).all()  # Lanczos sees some black beyond the edge


def test_another_fit_is_refused(flow, tmp_path) -> None:
    with pytest.raises(ArgumentError, match="fit must be None or one of resize, crop"):
        zoo.read_images(tmp_path, flow, "squash")


def test_a_list_is_no_batch(flow) -> None:
    with pytest.raises(ImageError, match=r"For a list of images of one size: torch.stack"):
        flow.bits_per_dim([torch.zeros(1, 8, 12, dtype=torch.uint8)])


def test_nothing_to_read_is_an_error(flow, tmp_path) -> None:
    with pytest.raises(ImageError, match="no files named as images"):
        zoo.read_images(tmp_path, flow)


def test_a_list_of_mixed_sizes_comes_back_at_its_own_sizes(flow) -> None:
    generator = torch.Generator().manual_seed(0)
    sizes = [(8, 12), (1, 1), (17, 9), (8, 12), (5, 30)]
    images = [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator) for size in sizes
    ]
    latents = flow.encode(images)
    assert [each.size for each in latents] == [(8, 12), (8, 12), (20, 12), (8, 12), (8, 32)]
    assert [each.image_size for each in latents] == sizes
    assert [each.z.shape for each in latents] == [(3 * h * w,) for _, (h, w), _ in latents]
    back = flow.decode(latents)
    assert all(torch.equal(a, b) for a, b in zip(back, images, strict=True))


def test_pil_images_and_numpy_arrays_are_images(flow, tmp_path) -> None:
    pixels = picture(tmp_path / "a.png", 7, 10)
    from_file = zoo.read_images(tmp_path / "a.png", flow)
    for image in (Image.open(tmp_path / "a.png"), pixels, [Image.open(tmp_path / "a.png")]):
        (latent,) = flow.encode(image)
        assert torch.equal(latent.z, flow.encode(from_file)[0].z)
        assert torch.equal(flow.decode([latent])[0], from_file[0])


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("L", (4, 4)), 'image.convert\\("RGB"\\)'),
        (np.zeros((4, 4, 3)), "got torch.float64 \\(3, 4, 4\\)"),
        (np.zeros((4, 4), np.uint8), "got torch.uint8 \\(1, 4, 4\\)"),
        ("a.png", "got str"),
    ],
)
def test_other_kinds_of_images_are_refused(flow, image, message) -> None:
    with pytest.raises(ImageError, match=message):
        flow.encode(image)


def test_a_list_of_other_latents_is_refused(flow) -> None:
    with pytest.raises(LatentError, match="what encode made of a list"):
        flow.decode([torch.zeros(288)])
