"""Bits per channel of a picture, as its file says: Pillow cuts many kinds to 8 without a word."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

HEAD = 1 << 16
START_OF_JPEG2000, AV1_CONFIGURATION = b"\xff\x4f\xff\x51", b"av1C"


def bits_per_channel(picture: Image.Image, path: Path) -> int:
    """The most bits of a channel of an opened picture's current frame.

    Modes of integers and floats have 32, whatever the file says. Kinds of files that never have
    more than 8 count as 8.
    """
    if picture.mode.startswith(("I", "F")):
        return 32
    read = _READERS.get(picture.format or "")
    if read is None:
        return 8
    with path.open("rb") as file:
        return read(picture, file.read(HEAD))


def _png(_: Image.Image, head: bytes) -> int:
    return head[24]  # of IHDR, which comes first


def _tiff(picture: Image.Image, _: bytes) -> int:
    return max(picture.tag_v2.get(258, (1,)))  # type: ignore[attr-defined]  # BitsPerSample


def _pnm(_: Image.Image, head: bytes) -> int:
    """From the maxval, the fourth word of P2, P3, P5 and P6; P1 and P4 have one bit."""
    lines = (line.partition(b"#")[0] for line in head.splitlines())
    words = [word for line in lines for word in line.split()][:4]
    return 1 if words[0] in (b"P1", b"P4") else int(words[3]).bit_length()


def _sgi(_: Image.Image, head: bytes) -> int:
    return 8 * head[3]


def _jpeg2000(_: Image.Image, head: bytes) -> int:
    size = head[head.index(START_OF_JPEG2000) :]
    components = int.from_bytes(size[40:42], "big")
    return max((size[42 + 3 * i] & 127) + 1 for i in range(components))


def _avif(_: Image.Image, head: bytes) -> int:
    configuration = head[head.index(AV1_CONFIGURATION) + 4 :]
    return 10 if configuration[2] & 0x40 else 8  # high_bitdepth: 10 or 12


_READERS: dict[str, Callable[[Image.Image, bytes], int]] = {
    "PNG": _png,
    "TIFF": _tiff,
    "PPM": _pnm,
    "SGI": _sgi,
    "JPEG2000": _jpeg2000,
    "AVIF": _avif,
}
