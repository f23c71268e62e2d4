"""Images one after another, as a GIF file."""

import io

from torch import Tensor

from zoo.pictures.image_files import to_picture


def animation(images: Tensor, scale: int = 1, milliseconds: int = 100) -> bytes:
    """The bytes of a GIF that shows images forwards and backwards, for ever.

    Args:
        images: uint8 (N, C, H, W), of 1 or 3 channels.
        scale: Whole factor to enlarge them by.
        milliseconds: Time that each is shown.
    """
    large = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    frames = [to_picture(image) for image in large]
    first, *others = [*frames, *frames[-2:0:-1]]
    data = io.BytesIO()
    first.save(
        data, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0, disposal=1
    )
    return data.getvalue()
