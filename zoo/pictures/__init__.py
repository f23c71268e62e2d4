"""Image files: found, read as tensors that fit a flow, and written."""

from zoo.flow.mixed_sizes import MODES
from zoo.pictures.image_files import (
    AS_IT_IS,
    SOFTWARE,
    WRITER,
    Fit,
    Fitted,
    fill,
    grid,
    open_picture,
    read_frames,
    read_image,
    to_picture,
    upright_size,
    write_grid,
    write_image,
)
from zoo.pictures.listing import Listing, expand, list_pictures, say_skipped
from zoo.pictures.reading import read_images

__all__ = [
    "AS_IT_IS",
    "MODES",
    "SOFTWARE",
    "WRITER",
    "Fit",
    "Fitted",
    "Listing",
    "expand",
    "fill",
    "grid",
    "list_pictures",
    "open_picture",
    "read_frames",
    "read_image",
    "read_images",
    "say_skipped",
    "to_picture",
    "upright_size",
    "write_grid",
    "write_image",
]
