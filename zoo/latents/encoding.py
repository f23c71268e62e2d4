"""Encoding a whole data set with `Trainer.predict`, under any strategy, shard by shard."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, RichProgressBar
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.data import FOLDER, Split, Splits, find_image_set
from zoo.errors import ArgumentError, DataError, NotInvertibleError
from zoo.files import user_path
from zoo.flow import Flow
from zoo.folder import identity
from zoo.folder.versions import versions
from zoo.images import check_images, spread_levels
from zoo.latents.shards import EncodedSet, ShardFolder, read_index
from zoo.sources import parse


class Shard(NamedTuple):
    """Images that a process encodes at a time.

    Attributes:
        number: Number of the shard.
        images: uint8 (B, C, H, W).
    """

    number: int
    images: Tensor


class Shards(Dataset[Shard]):
    """Some of the shards of a tensor of images, as the flow takes them."""

    def __init__(self, images: Tensor, encoded: EncodedSet, numbers: Sequence[int]) -> None:
        self.images, self.encoded, self.numbers = images, encoded, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Shard:
        chosen = self.encoded.range(self.numbers[index])
        images = self.images[chosen.start : chosen.stop]
        return Shard(self.numbers[index], spread_levels(images, self.encoded.grey_levels))


class ShardData(L.LightningDataModule):
    """The shards that are missing in a folder, shared out among the processes.

    Args:
        flow: Flow that will encode.
        source: Source of the flow, as for `zoo.load`.
        dataset: Name of the data set.
        directory: Folder of its raw files.
        split: Part of the data set.
        shard_size: Images per shard.
        output: Folder of the shards.
        splits: Whether sub-folders of a folder are its splits, as for `find_image_set`.
    """

    def __init__(
        self,
        flow: Flow,
        source: str,
        dataset: str,
        directory: Path,
        split: Split,
        shard_size: int,
        output: Path,
        splits: Splits = "folders",
    ) -> None:
        super().__init__()
        # More processes than shards are no mistake, least of all near the end of a resumed run.
        self.allow_zero_length_dataloader_with_multiple_devices = True
        self.flow, self.source, self.output = flow, source, output
        self.dataset, self.directory, self.split = dataset, user_path(directory), split
        self.shard_size = shard_size
        # The config says what becomes of the images of a folder.
        self.image_set = find_image_set(dataset, flow.config.size, flow.config.channels, splits)

    def prepare_data(self) -> None:
        self._load()  # downloaded, or decoded into the cache, by one process

    def _load(self) -> Tensor:
        if self.split == "val" and self.split not in self.image_set.splits(self.directory):
            raise DataError(f"{self.dataset} has no validation split of its own.")
        return self.image_set.load(self.directory, self.split)

    def setup(self, stage: str) -> None:
        self.images = self._load()
        check_images(self.images[:1], self.flow.config.channels, self.flow.divisor)
        channels, height, width = self.images.shape[1:]
        encoded = EncodedSet(
            model=self.source,
            sha256=identity(self.flow),
            dataset=self.dataset,
            split=self.split,
            images=len(self.images),
            image_size=(channels, height, width),
            images_sha256=_pixel_hash(self.images, self.shard_size),
            shard_size=self.shard_size,
            grey_levels=parse(self.source).folder().config.get("grey_levels"),
        )
        names = self.image_set.names(self.directory, self.split)
        labels = self.image_set.labels(self.directory, self.split)
        self.folder = ShardFolder(self.output, encoded, names, labels)

    def predict_dataloader(self) -> DataLoader[Shard]:
        # Lightning waits for all processes after this, so all of them see the same shards missing.
        assert self.trainer is not None
        mine = self.folder.missing()[self.trainer.global_rank :: self.trainer.world_size]
        return DataLoader(Shards(self.images, self.folder.encoded, mine), batch_size=None)


class Encoder(L.LightningModule):
    """A flow that encodes one shard at a time, in batches.

    Args:
        flow: Flow that encodes.
        batch_size: Images at a time.
    """

    def __init__(self, flow: Flow, batch_size: int) -> None:
        super().__init__()
        self.flow, self.batch_size = flow, batch_size

    def predict_step(self, shard: Shard, batch_idx: int) -> list[Tensor]:
        """Verified latents (B, D) of every batch of a shard, float64 where float32 falls short."""
        batches = enumerate(shard.images.split(self.batch_size))
        return [self._encode(shard.number, i * self.batch_size, batch) for i, batch in batches]

    def _encode(self, shard: int, start: int, images: Tensor) -> Tensor:
        try:
            return self.flow.encode(images)
        except NotInvertibleError as error:
            where = f"shard {shard}, from its image {start} on"
            raise NotInvertibleError(f"{where}: {error}") from error


class ShardWriter(Callback):
    """Writes every shard as soon as it is encoded, and the index when all processes are done."""

    def on_predict_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, Encoder)
        self.versions = versions(pl_module.flow)

    def on_predict_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: list[Tensor],
        batch: Shard,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        latents = torch.cat(outputs)  # in the widest type of any
        _folder(trainer).write(batch.number, latents, self.versions)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        trainer.strategy.barrier("all shards are written")
        if trainer.is_global_zero:
            _folder(trainer).finish()


def _folder(trainer: L.Trainer) -> ShardFolder:
    data = trainer.datamodule  # type: ignore[attr-defined]
    assert isinstance(data, ShardData)
    return data.folder


def encode_dataset(
    source: str,
    dataset: str,
    directory: Path,
    output: Path,
    *,
    split: Split | None = None,
    splits: Splits = "folders",
    shard_size: int = 1000,
    batch_size: int = 250,
    **options: Any,
) -> dict[str, Any] | None:
    """Encode every image of a split into shards of exact latents, and go on where a run stopped.

    Args:
        source: Source of the flow, as for `zoo.load`.
        dataset: Name of the data set, as for `load_images`.
        directory: Folder of its raw files.
        output: Folder for the shards; all nodes must see the same.
        split: "train" (with what ImageData splits off for validation), "test", "val" if the data
            set has a validation split of its own, or "all"; by default all of a folder, else test.
        splits: "none" if sub-folders of a folder are no splits, whatever their names.
        shard_size: Images per shard, whose latents are in memory until it is written.
        batch_size: Images that the flow takes at a time.
        **options: strategy, accelerator, devices, num_nodes and others of Lightning's Trainer.

    Returns:
        The index; None in all processes but the first.

    Raises:
        LatentError: If the folder holds latents of anything else.
        NotInvertibleError: If an image does not come back; the other shards stay.
    """
    pinned = parse(source).pin()
    flow = pinned.load()
    trainer = _trainer(options)
    split = split or ("all" if dataset == FOLDER else "test")
    data = ShardData(flow, str(pinned), dataset, directory, split, shard_size, output, splits)
    trainer.predict(Encoder(flow, batch_size), datamodule=data, return_predictions=False)
    return read_index(output) if trainer.is_global_zero else None


def _trainer(options: dict[str, Any]) -> L.Trainer:
    try:
        return L.Trainer(
            **options,
            callbacks=[ShardWriter(), RichProgressBar()],
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            use_distributed_sampler=False,  # shards are shared out already
        )
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise ArgumentError(f"Lightning refuses these options: {error}") from error


def _pixel_hash(images: Tensor, batch_size: int) -> str:
    digest = hashlib.sha256()
    for batch in images.split(batch_size):
        digest.update(batch.contiguous().numpy().data)
    return digest.hexdigest()
