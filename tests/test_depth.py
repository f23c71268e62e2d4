"""Pictures of more than 8 bits per channel are refused by what their files say."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from zoo.data import load_images
from zoo.errors import DataError, ImageError
from zoo.pictures.depth import bits_per_channel
from zoo.pictures.image_files import open_frames

DEEP = np.random.default_rng(0).integers(0, 1 << 16, (28, 28, 3), dtype=np.uint16)
FLAT = (DEEP >> 8).astype(np.uint8)


def p6(bits: int) -> bytes:
    most = (1 << bits) - 1
    data = (DEEP >> (16 - bits)).astype(">u2" if bits > 8 else "u1").tobytes()
    return b"P6\n# a comment 7\n28 28\n%d\n" % most + data


def p3(bits: int) -> bytes:
    numbers = " ".join(map(str, (DEEP >> (16 - bits)).flatten()))
    return f"P3 28 28 {(1 << bits) - 1} {numbers}\n".encode()


def sgi(bits: int) -> bytes:
    header = struct.pack(">HBBHHHHll", 474, 0, bits // 8, 3, 28, 28, 3, 0, (1 << bits) - 1)
    planes = (DEEP >> (16 - bits))[::-1].transpose(2, 0, 1)
    return header.ljust(512, b"\0") + planes.astype(">u2" if bits > 8 else "u1").tobytes()


def tiff(bits: int, planar: bool = True) -> bytes:
    """Uncompressed, in one strip a plane or one in all."""
    planes = (DEEP >> (16 - bits)).astype("<u2" if bits > 8 else "u1")
    data = (planes.transpose(2, 0, 1) if planar else planes).tobytes()
    count = 3 if planar else 1
    extra = 8 + 2 + 10 * 12 + 4  # where the values lie that do not fit into an entry
    offsets = [extra + 32 + i * len(data) // count for i in range(count)]
    entries = [
        (256, 3, 1, 28),
        (257, 3, 1, 28),
        (258, 3, 3, extra),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, count, extra + 8 if planar else offsets[0]),
        (277, 3, 1, 3),
        (278, 3, 1, 28),
        (279, 4, count, extra + 20 if planar else len(data)),
        (284, 3, 1, 2 if planar else 1),
    ]
    values = struct.pack("<3Hxx3I3I", *[bits] * 3, *(offsets * 3)[:3], *[len(data) // count] * 3)
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)
    return head + values + data


WRITERS = {
    "ppm": p6,
    "plain.ppm": p3,
    "sgi": sgi,
    "tiff": tiff,
    "chunky.tiff": lambda bits: tiff(bits, planar=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_more_than_8_bits_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"train/a.{name}"
    path.parent.mkdir()
    path.write_bytes(WRITERS[name](16))
    with pytest.raises(ImageError, match="has more than 8 bits per channel"):
        open_frames(path, "RGB")
    with pytest.raises(DataError, match="has more than 8 bits per channel"):
        load_images("folder", tmp_path, "train", size=(28, 28), channels=3)


@pytest.mark.parametrize("name", WRITERS)
def test_8_bits_are_taken_as_they_are(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"a.{name}"
    path.write_bytes(WRITERS[name](8))
    (frame,) = open_frames(path, "RGB")
    assert frame.changes == []
    assert np.array_equal(np.array(frame.picture), FLAT)


@pytest.mark.parametrize("bits", [9, 10, 12])
@pytest.mark.parametrize("write", [p6, p3])
def test_any_depth_above_8_is_refused(tmp_path: Path, write, bits: int) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(write(bits))
    with pytest.raises(ImageError, match="has more than 8 bits per channel"):
        open_frames(path, "RGB")


def test_fewer_bits_are_said_to_be_scaled(tmp_path: Path) -> None:
    path = tmp_path / "a.ppm"
    path.write_bytes(p6(4))
    (frame,) = open_frames(path, "RGB")
    assert frame.changes == ["4 bits to 8"]
    assert np.array_equal(np.array(frame.picture), (DEEP >> 12) * 17)


def test_jpeg_2000_of_16_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(FLAT).save(tmp_path / "a.jp2")
    open_frames(tmp_path / "a.jp2", "RGB")
    Image.fromarray(DEEP[..., 0]).save(tmp_path / "deep.jp2")
    with pytest.raises(ImageError, match="has more than 8 bits per channel"):
        open_frames(tmp_path / "deep.jp2", "L")
    data = bytearray((tmp_path / "a.jp2").read_bytes())
    size = data.index(b"\xff\x4f\xff\x51")
    data[size + 42 : size + 51 : 3] = bytes([15]) * 3  # components of 16 bits
    (tmp_path / "a.jp2").write_bytes(data)
    with pytest.raises(ImageError, match="has more than 8 bits per channel"):
        open_frames(tmp_path / "a.jp2", "RGB")


@pytest.mark.skipif(not features.check("avif"), reason="Pillow reads AVIF from 11.3 on")
def test_avif_of_10_bits_says_so(tmp_path: Path) -> None:
    path, deep = tmp_path / "a.avif", tmp_path / "deep.avif"
    Image.fromarray(FLAT).save(path, quality=100)
    data = bytearray(path.read_bytes())
    data[data.index(b"av1C") + 6] |= 0x40  # high_bitdepth
    deep.write_bytes(data)
    with Image.open(path) as picture:
        assert bits_per_channel(picture, path) == 8
        assert bits_per_channel(picture, deep) == 10
