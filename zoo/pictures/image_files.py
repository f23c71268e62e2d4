"""Image files to uint8 tensors that fit a flow, and back."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin
from torch import Tensor
from torch.nn import functional as F

from zoo.errors import ImageError
from zoo.files import write_atomically
from zoo.flow import Flow, Size
from zoo.flow.mixed_sizes import MODES, offset, padded_size
from zoo.pictures.depth import bits_per_channel

T = TypeVar("T")
Fit = Literal["resize", "crop", "pad", "original"]
# Entry of the text of a PNG that flowzoo wrote, and its beginning.
SOFTWARE, WRITER = "Software", "flowzoo"
# Formats in which further frames are previews, gain maps and layers of the first.
ONE_PICTURE = {"MPO": "only the first of its pictures", "PSD": "layers merged"}
ORIENTATION = 0x0112
AS_IT_IS = "as it is"


@dataclass(frozen=True)
class Fitted:
    """Changes that made an image file fit a flow.

    Attributes:
        name: Path of the file beside the others, without its ending; of the second frame of
            several "name#2".
        original_size: (H, W) of the file.
        size: (H, W) that was encoded.
        offset: (top, left) of the original in a padded image; None if not padded.
        changes: Words on the changes, for people.
    """

    name: str
    original_size: Size
    size: Size
    offset: tuple[int, int] | None
    changes: str

    def __post_init__(self) -> None:
        start, side = (self.offset, self.original_size) if self.offset else ((0, 0), (1, 1))
        inside = zip(start, side, self.size, strict=True)
        if not all(0 <= a < a + b <= whole for a, b, whole in inside):
            raise ImageError(f"the picture {self.name} does not lie in its frame.")

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON types."""
        return asdict(self)

    def restore(self, image: Tensor) -> Tensor:
        """Remove the padding of a decoded (C, H, W) image."""
        if self.offset is None:
            return image
        (top, left), (height, width) = self.offset, self.original_size
        return image[:, top : top + height, left : left + width]


class Frame(NamedTuple):
    """A picture of a file.

    Attributes:
        picture: Upright, in the wanted mode.
        changes: Words on the changes made to it, for people.
    """

    picture: Image.Image
    changes: list[str]


def read_frames(path: Path, flow: Flow, fit: Fit | None, name: str) -> list[tuple[Tensor, Fitted]]:
    """Read all frames of any image file that Pillow reads, uint8 (C, H, W) in the flow's channels.

    Args:
        path: The file.
        flow: Says how many channels and which sizes.
        fit: Treatment of another size than the flow's: "pad" with black to the next size that
            the flow accepts, "crop" as `fill` does, "resize" whatever the ratio of sides, or keep
            the "original" size if it is divisible; None keeps any.
        name: Name of the first frame; the second becomes "name#2".

    Raises:
        ImageError: If the file is no image, or its original size does not fit.
    """
    channels = flow.config.channels
    if channels not in MODES:
        raise ImageError(f"the model has {channels} channels; image files have 1 or 3.")
    frames = open_frames(path, MODES[channels])
    names = [name, *(f"{name}#{i}" for i in range(2, len(frames) + 1))]
    return [_fit(frame, name, path, flow, fit) for frame, name in zip(frames, names, strict=True)]


def read_image(path: Path, flow: Flow, fit: Fit) -> tuple[Tensor, Fitted]:
    """Read the one image of a path, fit to the flow as `read_frames` does; refuse several."""
    return _only(path, read_frames(path, flow, fit, path.stem))


def fill(picture: Image.Image, size: Size) -> Image.Image:
    """The largest central part of a picture with the ratio of size (H, W), resized to it."""
    return ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.LANCZOS)


def _fit(frame: Frame, name: str, path: Path, flow: Flow, fit: Fit | None) -> tuple[Tensor, Fitted]:
    picture, changes = frame
    original = _hw(picture)
    size, offset = _fitted_size(original, flow, fit, path)
    if fit == "resize" and size != original:
        picture = picture.resize((size[1], size[0]), Image.Resampling.LANCZOS)
        changes.append(f"resized {_times(original)} to {_times(size)}")
    if fit == "crop" and size != original:
        picture = fill(picture, size)
        changes.append(f"cropped and resized {_times(original)} to {_times(size)}")
    pixels = torch.from_numpy(np.array(picture))
    image = pixels.view(*_hw(picture), flow.config.channels).permute(2, 0, 1)
    if offset is not None:
        top, left = offset
        height, width = original
        image = F.pad(image, (left, size[1] - width - left, top, size[0] - height - top))
        changes.append(f"padded {_times(original)} to {_times(size)}")
    description = ", ".join(changes) or AS_IT_IS
    return image.contiguous(), Fitted(name, original, size, offset, description)


def to_picture(image: Tensor) -> Image.Image:
    """A uint8 (C, H, W) image as Pillow's."""
    return Image.fromarray(image.cpu().permute(1, 2, 0).squeeze(2).numpy())


def write_image(image: Tensor, path: Path) -> None:
    """Write a uint8 (C, H, W) image, atomically; the path's ending chooses the format."""
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise ImageError(f"{path} is named as no picture is. Use an ending such as .png.")
    data, about = io.BytesIO(), PngImagePlugin.PngInfo()
    about.add_text(SOFTWARE, WRITER)
    options = {"pnginfo": about} if kind == "PNG" else {}
    try:
        to_picture(image).save(data, kind, **options)
    except (ValueError, OSError) as error:
        raise ImageError(f"{path} cannot be a {kind} file: {error}. Use .png.") from error
    try:
        write_atomically(path, data.getvalue())
    except OSError as error:
        raise ImageError(f"{path} cannot be written: {error}. What was there is whole.") from error


def grid(images: Tensor, columns: int, scale: int = 2, gap: int = 1) -> Tensor:
    """uint8 (N, C, H, W) images as one picture (C, H', W') of rows of `columns`.

    Each pixel becomes `scale` x `scale`, and `gap` grey pixels lie between images.
    """
    images = images.cpu()
    missing = -len(images) % columns
    images = torch.cat([images, images.new_zeros(missing, *images.shape[1:])])
    images = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    images = F.pad(images, (gap, gap, gap, gap), value=96)
    rows = [torch.cat(list(row), dim=2) for row in images.split(columns)]
    return torch.cat(rows, dim=1)


def write_grid(images: Tensor, path: Path, columns: int) -> None:
    """Write uint8 (N, C, H, W) images to a path as one picture of rows of `columns`."""
    write_image(grid(images, columns), path)


def upright_size(path: Path) -> Size:
    """(H, W) of the image at a path as viewers show it, from its header."""
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(ORIENTATION, 1) in range(5, 9)
            return (picture.width, picture.height) if turned else _hw(picture)
    except Exception as error:  # Pillow's plugins raise many kinds on damaged files
        raise ImageError(f"{path} cannot be read as an image: {error}") from error


def open_picture(path: Path, mode: str) -> Image.Image:
    """The one image of a file at a path, in the mode "L" or "RGB".

    Raises:
        ImageError: If the file is no image, has several, or more than 8 bits per channel.
    """
    return _only(path, open_frames(path, mode)).picture


def _only(path: Path, frames: Sequence[T]) -> T:
    if len(frames) > 1:
        raise ImageError(f"{path} has {len(frames)} frames. Save each as a file of its own.")
    return frames[0]


def open_frames(path: Path, mode: str) -> list[Frame]:
    """All images of a file, in the mode "L" or "RGB".

    Raises:
        ImageError: If the file is no image, or has more than 8 bits per channel.
    """
    if not path.exists():
        raise ImageError(f"there is no file {path}.")
    if not path.is_file():  # to open a pipe would wait for a writer
        raise ImageError(f"{path} is no file. Name an image file.")
    try:
        with Image.open(path) as picture:
            return [upright(frame, path, mode) for frame in _frames(picture)]
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise many kinds on damaged files
        raise ImageError(
            f"{path} cannot be read as an image: {error}. Repair it, or leave it out."
        ) from error


def _frames(picture: Image.Image) -> Iterator[Image.Image]:
    """The picture at each of its frames; nothing is decoded yet."""
    for i in range(1 if picture.format in ONE_PICTURE else getattr(picture, "n_frames", 1)):
        picture.seek(i)
        yield picture


def upright(picture: Image.Image, path: Path, mode: str) -> Frame:
    """A frame as viewers show it."""
    bits = bits_per_channel(picture, path)
    if bits > 8:
        raise ImageError(f"{path} has more than 8 bits per channel. Convert it to 8 bits first.")
    changes = {
        ONE_PICTURE.get(picture.format or "", ""): getattr(picture, "n_frames", 1) > 1,
        "turned upright": picture.getexif().get(ORIENTATION, 1) in range(2, 9),
        f"{bits} bits to 8": bits < 8 and picture.mode == mode,
        f"{picture.mode} to {mode}": picture.mode != mode,
        "transparency dropped": picture.has_transparency_data,
    }
    upright = ImageOps.exif_transpose(picture)
    return Frame(
        upright.convert(mode), [change for change, done in changes.items() if done and change]
    )


def _fitted_size(
    original: Size, flow: Flow, fit: Fit | None, path: Path
) -> tuple[Size, tuple[int, int] | None]:
    """The size to encode, and the offset of the original in it if it is padded."""
    target = flow.config.size
    if fit in ("resize", "crop") or original == target:
        return target, None
    if fit == "pad":
        size = padded_size(original, flow.config)
        return size, None if size == original else offset(original, size)
    if fit == "original" and any(side % flow.divisor for side in original):
        raise ImageError(
            f"{path} is {_times(original)}; at its original size the model needs sides divisible "
            f"by {flow.divisor}. Use --pad or --crop."
        )
    return original, None


def _hw(picture: Image.Image) -> Size:
    return picture.height, picture.width


def _times(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
