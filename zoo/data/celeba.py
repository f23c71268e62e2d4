"""CelebA at 64 x 64, from the files that torchvision.datasets.CelebA reads."""

from pathlib import Path
from typing import Any

from PIL.Image import Image
from torch import Tensor

from zoo.data.decode import decode
from zoo.data.image_set import ImageSet, Split
from zoo.data.pixel_cache import memory_mapped
from zoo.errors import DataError

OFFICIAL: dict[Split, str] = {"train": "train", "val": "valid", "test": "test", "all": "all"}
CROP, SIDE = 148, 64


class CelebA64(ImageSet):
    """Aligned faces: the central 148 x 148 of 178 x 218, resized to 64 x 64.

    The crop and the size are RealNVP's (Dinh et al., 2017, section 4.1); the resizing is bilinear,
    with antialiasing. The splits are the official ones, validation too.
    """

    def splits(self, directory: Path) -> tuple[Split, ...]:
        return ("train", "val", "test")

    def names(self, directory: Path, split: Split) -> list[str]:
        return list(self._faces(directory, split).filename)

    def load(self, directory: Path, split: Split) -> Tensor:
        faces = self._faces(directory, split)
        folder = directory / faces.base_folder
        files = [folder / "img_align_celeba" / name for name in faces.filename]
        if missing := [file.name for file in files if not file.is_file()]:
            raise DataError(
                f"celeba64: {len(missing)} images are missing in {files[0].parent}, the first is "
                f"{missing[0]}. Unpack img_align_celeba.zip again."
            )
        return memory_mapped(
            f"celeba64-{split}", folder, files, (3, SIDE, SIDE), lambda: decode(files, 3, _fit)
        )

    def _faces(self, directory: Path, split: Split) -> Any:
        from torchvision.datasets import CelebA

        try:
            # Never by itself: it is 1.4 GB from a place that limits downloads.
            return CelebA(directory, OFFICIAL[split], target_type=[], download=False)
        except (OSError, RuntimeError) as error:
            folder = directory / CelebA.base_folder
            official = ", ".join(name for _, _, name in CelebA.file_list if name.endswith(".txt"))
            raise DataError(
                f"celeba64: the official files are missing or damaged in {folder.resolve()}. Put "
                f"img_align_celeba/ (unpacked) and {official} there, or run "
                f"torchvision.datasets.CelebA({str(directory)!r}, download=True) once."
            ) from error


def _fit(picture: Image) -> Image:
    from torchvision.transforms.v2 import functional

    return functional.resize(functional.center_crop(picture, [CROP, CROP]), [SIDE, SIDE])
