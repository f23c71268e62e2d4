"""Pictures to batches that a flow takes, without torchvision."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zoo.errors import ImageError
from zoo.files import user_path
from zoo.flow import Size
from zoo.flow.mixed_sizes import MODES
from zoo.pictures.image_files import fill, open_picture, upright

Picture: TypeAlias = Image.Image | str | Path


@dataclass(frozen=True)
class Preprocess:
    """Make uint8 (B, C, H, W) of pictures of Pillow or of image files, as training saw images.

    Each is turned upright and made grey or RGB. The largest central part with the ratio of the
    sides is cut out and resized.

    Attributes:
        channels: 1 for grey, 3 for RGB.
        size: (H, W) of the images.
    """

    channels: int
    size: Size

    def __call__(self, pictures: Picture | Sequence[Picture]) -> Tensor:
        """Convert one picture or several to a batch.

        Raises:
            ImageError: If there is none, or one is no image, has several frames, or more than 8
                bits per channel.
        """
        several = [pictures] if isinstance(pictures, Picture) else list(pictures)
        if not several:
            raise ImageError("there are no pictures. Give one, or several in a list.")
        return torch.stack([self._convert(picture) for picture in several])

    def _convert(self, picture: Picture) -> Tensor:
        if self.channels not in MODES:
            raise ImageError(f"the model has {self.channels} channels; pictures have 1 or 3.")
        mode = MODES[self.channels]
        if isinstance(picture, Image.Image):  # a copy does not know its file
            opened = upright(picture.copy(), Path("the picture"), mode).picture
        else:
            opened = open_picture(user_path(picture), mode)
        pixels = torch.from_numpy(np.array(fill(opened, self.size))).view(*self.size, self.channels)
        return pixels.permute(2, 0, 1).contiguous()
