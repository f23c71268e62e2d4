"""Checkpoint files: written whole or not at all, and opened without running what is in them."""

import hashlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import Tensor

from zoo.documents import fits
from zoo.errors import WeightsError
from zoo.files import write_atomically

STRUCTURE = {
    "state_dict": dict[str, Tensor],
    "loops": {"fit_loop": dict[str, Any]},
    "optimizer_states": [{"state": dict[Any, Any], "param_groups": [{"lr": float}]}],
    "lr_schedulers": [{"base_lrs": [float], "last_epoch": int}],
    "hyper_parameters": {"lr": float, "optimizer": str},
    "global_step": int,
    "epoch": int,
    "datamodule_hyper_parameters": {"name": str, "batch_size": int},
}
HASH, END = 64, 22  # bytes of the hash, and of the end of a zip file without a comment
# Entries that only some checkpoints hold.
MORE = {
    "callbacks": dict[str, Any],
    "class_names": [int | str],
    "finetune": dict[str, Any],
    "flow_config": dict[str, Any],
    "parent": dict[str, Any] | None,
    "ranks": int,
    "recipe": str | None,
    "seed": int,
    "transfer": dict[str, Any],
}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints renamed into place, and loaded as weights only.

    Lightning's own way moves a file from the folder for temporary files, which copies it where
    that is another file system: a kill at the wrong moment then leaves half a checkpoint.

    Attributes:
        last_written: The newest checkpoint of this run, or None.
    """

    last_written: str | None = None

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        if _is_local(path):
            buffer = io.BytesIO()
            torch.save(checkpoint, buffer)
            write_atomically(Path(path), _with_hash(buffer.getvalue()))
        else:  # object stores put an object whole
            super().save_checkpoint(checkpoint, path, storage_options)
        self.last_written = str(path)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        return read_checkpoint(path)


def checkpoint_folder(trainer: L.Trainer) -> Path:
    """Folder of the run's checkpoints."""
    return Path(getattr(trainer.checkpoint_callback, "dirpath", None) or trainer.default_root_dir)


def last_checkpoint(trainer: L.Trainer) -> str | None:
    """The newest checkpoint that the run has written, or else the one that it was resumed from."""
    written = getattr(trainer.strategy.checkpoint_io, "last_written", None)
    return written or (str(trainer.ckpt_path) if trainer.ckpt_path else None)


def read_checkpoint(source: str | Path) -> dict[str, Any]:
    """The content of a checkpoint of `flowzoo train`, on the CPU.

    Raises:
        WeightsError: If it is missing, truncated, of another program, holds pickled objects, or is
            not a file of this machine.
    """
    if not _is_local(source):
        raise WeightsError(f"{source} is not opened: fetch it, and name the file.")
    path = Path(source)
    try:
        checkpoint = torch.load(_content(path), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"there is no checkpoint {path}.{_others(path)}") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is not opened: it holds pickled objects, which can run code when they are "
            f"loaded, or is damaged. Use a checkpoint that flowzoo train wrote.{_others(path)}"
        ) from error
    except Exception as error:  # of many kinds: torch's reader trusts the file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{path} is damaged or no checkpoint ({reason}).{_others(path)}"
        ) from error
    structure = {**STRUCTURE, **{key: of for key, of in MORE.items() if key in checkpoint}}
    if not fits(checkpoint, structure) or not checkpoint["optimizer_states"]:
        raise WeightsError(f"{path} is not a checkpoint of flowzoo train.{_others(path)}")
    return checkpoint


def _with_hash(archive: bytes) -> bytes:
    """A zip file with the hash of all its bytes as its comment, which every reader skips."""
    content = archive[:-2] + HASH.to_bytes(2, "little")
    return content + _hash(content)


def _content(path: Path) -> io.BytesIO:
    """The bytes of a checkpoint; UnpicklingError unless they are those that were written."""
    data = path.read_bytes()
    if data[-END:].startswith(b"PK\5\6"):  # without a comment: of the first version
        if zipfile.ZipFile(io.BytesIO(data)).testzip() is None:
            return io.BytesIO(data)
    elif data[-HASH:] == _hash(memoryview(data)[:-HASH]):
        return io.BytesIO(data)
    raise pickle.UnpicklingError("it does not have the hash that it was written with")


def _hash(data: bytes | memoryview) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _others(path: Path) -> str:
    """A hint at the checkpoints beside it, newest first."""
    found = [other for other in path.parent.glob("*.ckpt") if other != path]
    found.sort(key=lambda other: other.stat().st_mtime, reverse=True)
    return f" Beside it, newest first: {', '.join(other.name for other in found)}." * bool(found)


def _is_local(path: str | Path) -> bool:
    return "://" not in str(path)
