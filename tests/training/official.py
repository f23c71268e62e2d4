"""Small data sets, written exactly as the official ones are laid out."""

import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import CelebA

from zoo.data import catalogue
from zoo.data.official import SOURCES

Files = dict[str, bytes]


def noise(count: int, *shape: int, seed: int = 0) -> Tensor:
    """uint8 (count, *shape)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator)


def write_raw(monkeypatch, name: str, directory: Path, files: Files) -> None:
    """Write raw files and declare them the official ones of a data set."""
    source = SOURCES[name]
    folder = directory / source.folder
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    md5 = {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
    splits = {split: {f: md5[f] for f in names} for split, names in source.files.items()}
    monkeypatch.setitem(catalogue.IMAGE_SETS, name, replace(source, files=splits))


def idx(images: Tensor) -> bytes:
    """MNIST's format, of (N, H, W)."""
    return struct.pack(">HBBIII", 0, 8, 3, *images.shape) + images.numpy().tobytes()


def write_idx(monkeypatch, name: str, directory: Path, train: Tensor, test: Tensor) -> None:
    """MNIST or Fashion-MNIST, of (N, 28, 28)."""
    files = {"train-images-idx3-ubyte": idx(train), "t10k-images-idx3-ubyte": idx(test)}
    write_raw(monkeypatch, name, directory, files)


def write_labels(
    monkeypatch, name: str, directory: Path, train: list[int], test: list[int]
) -> None:
    """Labels of MNIST or Fashion-MNIST beside its images, declared the official ones."""
    source, files = catalogue.IMAGE_SETS[name], {}
    for split, labels in {"train": train, "test": test}.items():
        (file,) = source.label_files[split]
        content = struct.pack(">HBBI", 0, 8, 1, len(labels)) + bytes(labels)
        (directory / source.folder / file).write_bytes(content)
        files[split] = {file: hashlib.md5(content).hexdigest()}
    monkeypatch.setitem(catalogue.IMAGE_SETS, name, replace(source, label_files=files))


def write_cifar10(monkeypatch, directory: Path, train: Tensor, test: Tensor) -> None:
    """CIFAR-10 of (N, 3, 32, 32), the label 9 before each image; five training files."""
    parts = [
        b"".join(b"\x09" + image.numpy().tobytes() for image in part) for part in train.chunk(5)
    ]
    files = {f"data_batch_{i + 1}.bin": part for i, part in enumerate(parts)}
    files["test_batch.bin"] = b"".join(b"\x09" + image.numpy().tobytes() for image in test)
    write_raw(monkeypatch, "cifar10", directory, files)


def write_imagenet(directory: Path, side: int, train: Tensor, test: Tensor) -> None:
    """Downsampled ImageNet of (N, 3, side, side), in ten training files, with labels and mean."""
    for i, part in enumerate(train.chunk(10)):
        folder = {32: "train", 64: f"train_part{1 + i // 5}"}[side]
        write_npz(directory / f"Imagenet{side}_{folder}_npz/train_data_batch_{i + 1}.npz", part)
    write_npz(directory / f"Imagenet{side}_val_npz/val_data.npz", test)


def write_npz(path: Path, images: Tensor) -> None:
    """One file of downsampled ImageNet."""
    path.parent.mkdir(exist_ok=True)
    data = images.flatten(1).numpy()
    labels = np.ones(len(images), np.int64)
    np.savez(path, data=data, labels=labels, mean=data.mean(0).astype(np.uint8))


def write_celeba(monkeypatch, directory: Path, pictures: dict[int, list[Image.Image]]) -> None:
    """CelebA's pictures of each of its partitions 0, 1, 2, with all of its text files."""
    folder = directory / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    partition = [(number, picture) for number in pictures for picture in pictures[number]]
    names = [f"{i + 1:06d}.jpg" for i in range(len(partition))]
    for name, (_, picture) in zip(names, partition, strict=True):
        picture.save(folder / "img_align_celeba" / name, quality=95)
    rows = {
        "list_eval_partition.txt": ([], [f"{number}" for number, _ in partition]),
        "identity_CelebA.txt": ([], ["7"] * len(names)),
        "list_bbox_celeba.txt": (
            ["image_id x_1 y_1 width height"],
            ["95  71 226 313"] * len(names),
        ),
        "list_landmarks_align_celeba.txt": (["lefteye_x lefteye_y"], ["69  109"] * len(names)),
        "list_attr_celeba.txt": (["5_o_Clock_Shadow Young"], ["-1  1"] * len(names)),
    }
    listed = []
    for file, (header, values) in rows.items():
        lines = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
        # Files with a header start with the number of images.
        text = "\n".join([*([str(len(names))] if header else []), *header, *lines]) + "\n"
        (folder / file).write_text(text)
        listed.append(("", hashlib.md5(text.encode()).hexdigest(), file))
    monkeypatch.setattr(CelebA, "file_list", listed)


def picture(height: int, width: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Noise, as Pillow's."""
    pixels = noise(height, width, len(mode) if mode != "L" else 1, seed=seed).squeeze(2)
    return Image.fromarray(pixels.numpy(), mode)
