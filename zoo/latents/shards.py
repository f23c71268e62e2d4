"""Latents of a whole data set in a folder: shards, each written at once, and an index of them.

Shard k holds images k * shard_size and on, whoever encodes it, so a run that was killed is taken up
by any number of processes. index.json first says what is being encoded; the last process adds the
shards to it, and with that the folder is complete. Sources of truth are the shards themselves: each
names its set, and carries the content hash of its latents.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from zoo.errors import LatentError
from zoo.exact.round_trip import holds_float32, precision
from zoo.files import write_atomically, write_json
from zoo.folder import content_hash

INDEX = "index.json"
LATENTS = "latents"
KEY = "flowzoo"


@dataclass(frozen=True)
class EncodedSet:
    """Identity of an encoded set: images, flow, and the size of the shards.

    Attributes:
        model: Source of the flow, as for `zoo.load`.
        sha256: Content hash of its weights.
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
        known = {name: values[name] for name in cls.__dataclass_fields__ if name in values}
        return cls(**{**known, "image_size": tuple(values["image_size"])})

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
            f"{self.images_sha256[:12]}…) by {self.model} (weights {self.sha256[:12]}…) in shards "
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
        """Numbers of the shards that are still to be written."""
        return [k for k in range(self.encoded.shards) if self._read(k) is None]

    def write(
        self,
        shard: int,
        latents: Tensor,
        versions: dict[str, Any],
    ) -> None:
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
            "images": len(latents),
            "dtype": str(latents.dtype).removeprefix("torch."),
            "float64": self._float64(shard, latents),
            "kept": precision(latents)["kept"],
            "sha256": content_hash(tensors),
            "versions": versions,
            **origins,
        }
        data = save(tensors, metadata={KEY: json.dumps(about)})
        write_atomically(self.folder / file_name(shard), data)

    def _float64(self, shard: int, latents: Tensor) -> list[list[int]]:
        """Ranges [start, stop] of the images in the data set that float32 does not give back."""
        rows = self.encoded.range(shard).start + (~holds_float32(latents)).nonzero().flatten()
        ends = (rows.diff() > 1).nonzero().flatten() + 1
        return [[int(part[0]), int(part[-1]) + 1] for part in rows.tensor_split(ends) if len(part)]

    def finish(self) -> dict[str, Any]:
        """Write the shards into the index and return it; what killed runs left is removed."""
        shards = [self._read(k) for k in range(self.encoded.shards)]
        if None in shards:
            raise LatentError(
                f"{shards.count(None)} of {len(shards)} shards are missing in {self.folder}. If "
                "several nodes encode, the folder must be one that all of them see. Run it again."
            )
        for left in self.folder.glob(".shard-*"):
            left.unlink()
        entries = [entry for entry in shards if entry is not None]
        index = {
            **asdict(self.encoded),
            "exact": sum(entry["images"] for entry in entries),
            "float64": sum(b - a for entry in entries for a, b in entry["float64"]),
            "kept": sum(entry.get("kept", 0) for entry in entries),
            "shards": entries,
        }
        write_json(self.folder / INDEX, index)
        return index

    def _read(self, shard: int) -> dict[str, Any] | None:
        """Entries of a shard about itself; None if it is missing, damaged or of another set."""
        path = self.folder / file_name(shard)
        try:
            with safe_open(path, framework="pt") as file:
                about: dict[str, Any] = json.loads((file.metadata() or {})[KEY])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        return {"file": path.name, **about} if about.pop("set") == self.encoded.id else None


def file_name(shard: int) -> str:
    """Name of a shard's file."""
    return f"shard-{shard:06d}.safetensors"


def read_index(folder: Path) -> dict[str, Any]:
    """The content of index.json.

    Raises:
        LatentError: If it is missing or damaged.
    """
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        EncodedSet.from_dict(index)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise LatentError(
            f"{path} is not an index that flowzoo encode-dataset wrote ({error!r})."
        ) from error
    return index
