"""The shards of `flowzoo encode-dataset` as a torch Dataset."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from zoo.documents import DocumentError
from zoo.errors import LatentError, LatentIndexError
from zoo.files import user_path
from zoo.flow import Flow
from zoo.folder import identity, is_identity
from zoo.images import gather_levels
from zoo.latents.shards import EncodedSet, file_name, read_index, read_shard
from zoo.sources import load as load_flow

Index = int | slice | Sequence[int] | Sequence[bool] | np.ndarray | Tensor


class LatentSet(Dataset[Tensor]):
    """Latents (D,) of every image of a data set, in its order.

    Shards are memory-mapped: a batch reads its own rows, and none is held in memory as a whole. At
    its first use each is read once, to check its hash. All latents come in one dtype, the widest of
    any shard; `Flow.decode` takes each in the precision that it was verified in.

    Args:
        folder: Folder that `flowzoo encode-dataset` wrote.
        model: Source of the flow that decodes; default: the one that encoded.

    Attributes:
        about: Data set and flow of the latents.
        dtype: Type of the latents.

    Raises:
        LatentError: If the folder is incomplete, or a shard is missing or damaged (at first use).
    """

    def __init__(self, folder: str | Path, model: str | None = None) -> None:
        self.folder = user_path(folder)
        index = read_index(self.folder)
        if "shards" not in index:
            raise LatentError(
                f"{self.folder} is incomplete. Run the same flowzoo encode-dataset again: it goes "
                "on where it stopped."
            )
        self.about = EncodedSet.from_dict(index)
        wide = any(entry["dtype"] == "float64" for entry in index["shards"])
        self.dtype = torch.float64 if wide else torch.float32
        self._source = model or self.about.model
        self._shards: list[dict[str, Any]] = index["shards"]
        self._mapped: dict[int, Tensor] = {}

    def __len__(self) -> int:
        return self.about.images

    def __getitem__(self, index: Index) -> Tensor:
        """Latents (D,) of an integer; (B, D) of a slice, a list, a mask or a tensor of indices."""
        chosen = self._chosen(index)
        return self.gather([chosen])[0] if isinstance(chosen, int) else self.gather(chosen)

    def __getitems__(self, indices: Sequence[int]) -> list[Tensor]:
        # A list, which the ordinary DataLoader makes a batch of.
        return list(self.gather(indices))

    def gather(self, indices: Sequence[int]) -> Tensor:
        """Latents (B, D) of the images at some indices, in any order."""
        batch = torch.empty(len(indices), self._length, dtype=self.dtype)
        for shard, places, rows in self._by_shard(indices):
            batch[places] = self._latents(shard)[rows].to(self.dtype)
        return batch

    @property
    def names(self) -> list[str | None]:
        """Path of each image's file within the data set's folder; None where it had no file."""
        return self._origins("names")

    @property
    def labels(self) -> list[str | int | None]:
        """Label of each image: its class folder's name, or its number; None if none was found."""
        return self._origins("labels")

    def _origins(self, key: str) -> list[Any]:
        return [
            value for entry in self._shards for value in entry.get(key) or [None] * entry["images"]
        ]

    def decode(self, indices: Index) -> Tensor:
        """The original images, uint8 (C, H, W) of one index or (B, C, H, W) of several.

        Args:
            indices: As for `data[indices]`.

        Raises:
            LatentError: If the flow's weights are not those that encoded.
            LatentIndexError: If it is no index of these latents.
        """
        chosen = self._chosen(indices)
        if isinstance(chosen, int):
            return self.decode([chosen])[0]
        if not chosen:
            return torch.empty(0, *self.about.image_size, dtype=torch.uint8)
        z = self.gather(chosen).to(self.flow.device)
        images = self.flow.decode(z, self.about.image_size[1:]).cpu()
        return gather_levels(images, self.about.grey_levels)

    @cached_property
    def flow(self) -> Flow:
        """The flow that encoded, loaded at its first use."""
        flow = load_flow(self._source)
        if not is_identity(self.about.sha256, flow):
            raise LatentError(
                f"these latents are of {self.about.model}, {self.about.sha256[:12]}…; "
                f"{self._source} has other weights or another configuration, "
                f"{identity(flow)[:12]}…. Pass model= the one that encoded them."
            )
        return flow

    @property
    def _length(self) -> int:
        channels, height, width = self.about.image_size
        return channels * height * width

    def _chosen(self, index: Index) -> int | list[int]:
        """Image or images that an index stands for, as for an array."""
        if isinstance(index, Tensor):
            index = index.cpu().numpy()
        try:
            # An empty list would be one of floats.
            chosen = np.arange(len(self))[[] if _is_empty(index) else index]
        except (IndexError, ValueError, TypeError) as error:  # of lists of unequal lengths too
            raise LatentIndexError(
                f"there are {len(self)} latents; got {index}: {error}. Pass whole numbers below "
                f"{len(self)}, a slice, or a mask."
            ) from error
        if chosen.ndim > 1:
            raise LatentIndexError(f"latents are indexed along one axis; got {index}.")
        indices: int | list[int] = chosen.tolist()
        return indices

    def _by_shard(self, indices: Sequence[int]) -> list[tuple[int, Tensor, Tensor]]:
        """Shards of a batch, each with its places in the batch and its own rows."""
        wanted = torch.as_tensor(indices, dtype=torch.long)
        wanted = torch.where(wanted < 0, wanted + len(self), wanted)
        if ((wanted < 0) | (wanted >= len(self))).any():
            raise LatentIndexError(f"there are {len(self)} latents; got {list(indices)}.")
        shards = wanted // self.about.shard_size
        places = [(int(k), (shards == k).nonzero().flatten()) for k in shards.unique()]
        return [(k, place, wanted[place] % self.about.shard_size) for k, place in places]

    def _latents(self, shard: int) -> Tensor:
        """All latents of a shard, memory-mapped, its hash checked."""
        if shard not in self._mapped:
            self._mapped[shard] = self._open(shard)
        return self._mapped[shard]

    def _open(self, shard: int) -> Tensor:
        try:
            latents, entry = read_shard(self.folder, self.about, shard)
        except (OSError, DocumentError) as error:
            path = self.folder / file_name(shard)
            raise LatentError(f"{path} is missing or damaged ({error}). {AGAIN}") from error
        if entry != self._shards[shard]:
            raise LatentError(f"{self.folder / entry['file']} is not as the index says. {AGAIN}")
        return latents

    def __getstate__(self) -> dict[str, Any]:
        # For workers of a DataLoader: maps and the flow are not sent, each opens its own.
        return {**{k: v for k, v in vars(self).items() if k != "flow"}, "_mapped": {}}


AGAIN = "Delete it and run flowzoo encode-dataset again: only missing shards are encoded."


def load(folder: str | Path, model: str | None = None) -> LatentSet:
    """Read the folder that `flowzoo encode-dataset` wrote; see `LatentSet` for the model."""
    return LatentSet(folder, model)


def _is_empty(index: Index) -> bool:
    return not isinstance(index, slice) and np.size(index) == 0
