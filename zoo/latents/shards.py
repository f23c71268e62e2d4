"""Latents of a whole data set in a folder: shards, each written at once, and an index of them.

Shard k holds images k * shard_size and on, whoever encodes it, so a run that was killed is taken up
by any number of processes. index.json first says what is being encoded; the last process adds the
shards to it, and with that the folder is complete. Sources of truth are the shards themselves: each
is sealed, and names its set, its number and its images.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from zoo.documents import DocumentError, content_hash, fits, make, read_json, seal, unseal
from zoo.errors import LatentError
from zoo.exact.round_trip import holds_float32, precision
from zoo.files import remove_abandoned, write_atomically, write_json

INDEX = "index.json"
LATENTS = "latents"
MOST_INDEX = 2**30  # bytes: it holds the names of all images
ENTRY = {"file": str, "images": int, "dtype": Literal["float32", "float64"]}


@dataclass(frozen=True)
class EncodedSet:
    """Identity of an encoded set: images, flow, and the size of the shards.

    Attributes:
        model: Source of the flow, as for `zoo.load`.
        sha256: Identity of the flow.
        dataset: Name of the data set.
        split: "train", "val", "test" or "all".
        images: Number of images.
        image_size: (C, H, W) of each.
        images_sha256: Hash of all their pixels.
        shard_size: Images per shard; the last may hold fewer.
        grey_levels: The images hold 0 .. grey_levels - 1, spread over 256 for the flow; None if
            they hold 0 .. 255.
    """

    model: str = field(compare=False)  # one flow may have several sources
    sha256: str
    dataset: str
    split: str
    images: int
    image_size: tuple[int, int, int]
    images_sha256: str
    shard_size: int
    grey_levels: int | None = None

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "EncodedSet":
        """From an index, which may hold more."""
        encoded = make(cls, {k: values[k] for k in cls.__dataclass_fields__ if k in values})
        if min(encoded.images, encoded.shard_size, *encoded.image_size) < 1:
            raise DocumentError("a size that is not positive")
        return encoded

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.images // self.shard_size)

    def range(self, shard: int) -> range:
        """The images of a shard, as indices into the data set."""
        start = shard * self.shard_size
        return range(start, min(start + self.shard_size, self.images))

    @cached_property
    def id(self) -> str:
        """Hash of all that tells sets apart."""
        values = {name: value for name, value in asdict(self).items() if name != "model"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def __str__(self) -> str:
        size = "x".join(map(str, self.image_size))
        return (
            f"{self.images:,} images {size} of {self.dataset} ({self.split}, pixels "
            f"{self.images_sha256[:12]}…) by {self.model} ({self.sha256[:12]}…) in shards "
            f"of {self.shard_size:,}"
        )


class ShardFolder:
    """The folder of an `EncodedSet` while it is being written.

    Args:
        folder: Created if missing.
        encoded: Identity of the set.
        names: Path of each image's file, where images have files.
        labels: Label of each image, where they have labels.

    Raises:
        LatentError: If it holds anything else.
    """

    def __init__(
        self,
        folder: Path,
        encoded: EncodedSet,
        names: Sequence[str] | None = None,
        labels: Sequence[str | int | None] | None = None,
    ) -> None:
        self.folder, self.encoded = folder, encoded
        self.origins = {"names": names, "labels": labels}
        # In this order: another process may write the index in between, and then shards.
        others = list(folder.glob("[!.]*"))
        if not (folder / INDEX).exists():
            if any(path.name != INDEX for path in others):
                raise LatentError(f"{folder} holds other files. Choose an empty folder.")
            write_json(folder / INDEX, asdict(encoded))
        found = EncodedSet.from_dict(read_index(folder))
        if found != encoded:
            raise LatentError(
                f"{folder} holds {found}; this would be {encoded}. Choose another folder, or "
                "delete it first."
            )

    def missing(self) -> list[int]:
        """Numbers of the shards that are still to be written; the others are read as a whole."""
        return [k for k in range(self.encoded.shards) if self._entry(k) is None]

    def write(self, shard: int, latents: Tensor, versions: dict[str, Any]) -> None:
        """Write a shard, atomically.

        Args:
            shard: Its number.
            latents: (B, D), verified to decode to its images.
            versions: Versions and device that encoded it.
        """
        tensors = {LATENTS: latents.cpu().contiguous()}
        mine = self.encoded.range(shard)
        origins = {
            key: list(values[mine.start : mine.stop])
            for key, values in self.origins.items()
            if values is not None
        }
        about = {
            "set": self.encoded.id,
            "shard": shard,
            "start": mine.start,
            "images": len(latents),
            "dtype": str(latents.dtype).removeprefix("torch."),
            "float64": self._float64(shard, latents),
            "kept": precision(latents)["kept"],
            "verified": now(),
            "versions": versions,
            **origins,
        }
        write_atomically(self.folder / file_name(shard), seal(tensors, about))

    def _float64(self, shard: int, latents: Tensor) -> list[list[int]]:
        """Ranges [start, stop] of the images in the data set that float32 does not give back."""
        rows = self.encoded.range(shard).start + (~holds_float32(latents)).nonzero().flatten()
        ends = (rows.diff() > 1).nonzero().flatten() + 1
        return [[int(part[0]), int(part[-1]) + 1] for part in rows.tensor_split(ends) if len(part)]

    def finish(self) -> dict[str, Any]:
        """Read every shard again, write them into the index and return it.

        What killed runs left an hour ago is removed.
        """
        shards = [self._entry(k) for k in range(self.encoded.shards)]
        if None in shards:
            raise LatentError(
                f"{shards.count(None)} of {len(shards)} shards are missing in {self.folder}. If "
                "several nodes encode, the folder must be one that all of them see. Run it again."
            )
        remove_abandoned(self.folder, ".safetensors")
        entries = [entry for entry in shards if entry is not None]
        index = {
            **asdict(self.encoded),
            "exact": sum(entry["images"] for entry in entries),
            "float64": sum(b - a for entry in entries for a, b in entry["float64"]),
            "kept": sum(entry.get("kept", 0) for entry in entries),
            "read_back": now(),
            "shards": entries,
        }
        index["sha256_of_index"] = _index_hash(index)
        write_json(self.folder / INDEX, index)
        return index

    def _entry(self, shard: int) -> dict[str, Any] | None:
        """Entry of a shard in the index; None if it is missing, damaged or another."""
        try:
            return read_shard(self.folder, self.encoded, shard)[1]
        except (OSError, DocumentError):
            return None


def read_shard(folder: Path, encoded: EncodedSet, shard: int) -> tuple[Tensor, dict[str, Any]]:
    """Latents (B, D) of a shard, memory-mapped, and what the index says of it.

    All of it is read once, to check its hash.

    Raises:
        OSError: If it cannot be read.
        DocumentError: If it is damaged, of another set, or another shard of this one.
    """
    name, mine = file_name(shard), encoded.range(shard)
    tensors, about, sealed = unseal(folder / name)
    place = {"set": encoded.id, "images": len(mine)}
    if sealed:
        place |= {"shard": shard, "start": mine.start}
    elif about.get("sha256") != content_hash(tensors):  # as those of the first version carry it
        raise DocumentError("it does not have the hash that it was written with")
    if wrong := [key for key, value in place.items() if about.get(key) != value]:
        raise DocumentError(f"it is another shard: its {wrong[0]} is {about.get(wrong[0])!r}")
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    if shapes != {LATENTS: (len(mine), math.prod(encoded.image_size))}:
        raise DocumentError(f"it holds tensors of other shapes: {shapes}")
    return tensors[LATENTS], {"file": name, **{k: v for k, v in about.items() if k != "set"}}


def file_name(shard: int) -> str:
    """Name of a shard's file."""
    return f"shard-{shard:06d}.safetensors"


def now() -> str:
    """The time, in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def read_index(folder: Path) -> dict[str, Any]:
    """The content of index.json.

    Raises:
        LatentError: If it is missing or damaged.
    """
    path = folder / INDEX
    try:
        index = read_json(path, most=MOST_INDEX)
        encoded = EncodedSet.from_dict(index)
        if "shards" in index:
            _check_shards(index, encoded)
    except (OSError, DocumentError) as error:
        raise LatentError(
            f"{path} is not an index that flowzoo encode-dataset wrote ({error})."
        ) from error
    return index


def _check_shards(index: dict[str, Any], encoded: EncodedSet) -> None:
    """Raise DocumentError unless these are all shards, in their order, as they were written."""
    if not fits(index["shards"], [ENTRY]) or any(
        entry["file"] != file_name(k) for k, entry in enumerate(index["shards"])
    ):
        raise DocumentError("its shards are not as they were written")
    if len(index["shards"]) != encoded.shards:
        raise DocumentError(f"it lists {len(index['shards'])} of {encoded.shards} shards")
    newer = {"read_back", "sha256_of_index"} & index.keys()
    if newer and index.get("sha256_of_index") != _index_hash(index):
        raise DocumentError("it does not have the hash that it was written with")


def _index_hash(index: dict[str, Any]) -> str:
    rest = {key: value for key, value in index.items() if key != "sha256_of_index"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
