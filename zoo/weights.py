"""Weights on disk: safetensors and config.json, saved atomically, loaded strictly."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo.architectures import build, config_from_json, config_to_json
from zoo.architectures.config import MAGNITUDE_FACTOR, FlowConfig
from zoo.errors import ConfigError, DamagedError, WeightsError
from zoo.files import write_atomically, write_json
from zoo.flow import Flow

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
# Entries of config.json that say what the flow is; the others are about it.
OF_THE_FLOW = ("schema_version", "architecture", "flow", "sha256")


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over the sorted names, dtypes, shapes and bytes of the tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def save_folder(flow: Flow, folder: Path, about: Mapping[str, Any] | None = None) -> str:
    """Write config.json and model.safetensors; return the content hash.

    Args:
        flow: The flow; its weights are saved as they are.
        folder: Created if missing.
        about: Further entries of config.json, such as name and dataset.
    """
    tensors = {name: tensor.contiguous() for name, tensor in flow.state_dict().items()}
    sha256 = content_hash(tensors)
    write_atomically(folder / WEIGHTS, save(tensors))
    document = {**config_to_json(flow.config), **(about or {}), "sha256": sha256}
    write_json(folder / CONFIG, document)
    return sha256


def load_folder(folder: Path, *, sha256: str | None = None, name: str | None = None) -> Flow:
    """Load a flow in eval mode from a folder of `save_folder`, onto torch's default device.

    Args:
        folder: Holds config.json and model.safetensors.
        sha256: Content hash that the weights must have besides the one in config.json.
        name: Of the flow as the parent of others; default: the one in config.json.

    Raises:
        WeightsError: If a file is missing, or the weights are another model's.
        DamagedError: If the weights are damaged or not the ones announced.
        ConfigError: If config.json describes no model of this version.
    """
    document = read_config(folder)
    config = config_from_json(document)
    tensors = _read_weights(folder / WEIGHTS)
    found = content_hash(tensors)
    for announced in (document.get("sha256"), found if sha256 is None else sha256):
        if found != announced:
            raise DamagedError(
                f"{folder / WEIGHTS} does not hold the announced weights: their sha256 is "
                f"{found}, announced is {announced}. Get the files again."
            )
    _check_size(tensors, config, folder / WEIGHTS)
    # Not on the meta device: its first use imports for seconds, a compact flow takes 0.1 s.
    device = torch.get_default_device()
    if device.type == "meta":
        raise WeightsError(
            "the meta device holds no weights. Load outside of torch.device('meta')."
        )
    with torch.device("cpu"), _Blank():
        flow = build(config).float()  # whatever torch's default type is now
    _check_tensors(tensors, flow.state_dict(), folder / WEIGHTS)
    flow.load_state_dict(tensors)
    flow = flow.to(device)
    flow.origin = {"name": name or str(document.get("name", folder.name)), "sha256": found}
    flow.about = {key: value for key, value in document.items() if key not in OF_THE_FLOW}
    return flow.eval()


class _Blank(TorchFunctionMode):
    """Draw no random numbers to initialise weights that will be overwritten; in this thread only.

    To restore the state of the generator instead would undo what other threads draw meanwhile.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return WITHOUT_RANDOM.get(func, func)(*args, **(kwargs or {}))


_QR: Any = torch.return_types.linalg_qr  # type: ignore[attr-defined]


def _left_alone(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
    return tensor


# What architectures draw initial weights by, and decompose them: many small matrices, which takes
# longer than all else where other processes keep the cores busy.
WITHOUT_RANDOM: dict[Any, Callable[..., Any]] = {
    torch.randn: torch.zeros,
    torch.linalg.qr: lambda matrix: _QR((matrix, matrix)),
    torch.linalg.lu: lambda matrix: (matrix, matrix, matrix),
    nn.init.uniform_: _left_alone,
    nn.init.kaiming_uniform_: _left_alone,
}


def read_config(folder: Path) -> dict[str, Any]:
    """The content of config.json."""
    path = folder / CONFIG
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(
            f"there is no {CONFIG} in {folder}; it is not a model's folder."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}. Get the file again.") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} does not hold a JSON object. Get the file again.")
    return document


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise WeightsError(
            f"there is no {path.name} in {path.parent}. Get the file again."
        ) from error
    except (OSError, SafetensorError) as error:
        raise DamagedError(f"{path} is damaged ({error}). Get the file again.") from error


def _check_size(tensors: Mapping[str, Tensor], config: FlowConfig, path: Path) -> None:
    """Raise WeightsError if the flow would be far larger than its weights, before it is built."""
    held = sum(tensor.numel() for tensor in tensors.values())
    if config.magnitude > MAGNITUDE_FACTOR * held:
        raise WeightsError(
            f"{path} holds {held:,} numbers, the flow that {CONFIG} describes some "
            f"{config.magnitude:,}. It belongs to another model or version."
        )


def _check_tensors(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path) -> None:
    """Raise WeightsError unless names, shapes and dtypes are the same."""
    for problem, names in (
        ("lacks", sorted(set(wanted) - set(found))),
        ("has unexpected", sorted(set(found) - set(wanted))),
    ):
        if names:
            raise WeightsError(
                f"{path} {problem} {len(names)} tensors, such as {names[0]}. "
                "It belongs to another model or version."
            )
    for name, tensor in wanted.items():
        if (tensor.shape, tensor.dtype) != (found[name].shape, found[name].dtype):
            raise WeightsError(
                f"{path}: {name} is {found[name].dtype} {tuple(found[name].shape)}, the model's "
                f"is {tensor.dtype} {tuple(tensor.shape)}. It belongs to another model or version."
            )
