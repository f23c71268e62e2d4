"""Weights: their identity, and the flow that they belong to, loaded strictly."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo.architectures import build
from zoo.config import MAGNITUDE_FACTOR, FlowConfig
from zoo.errors import DamagedError, WeightsError
from zoo.flow import Flow


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over the sorted names, dtypes, shapes and bytes of the tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def make_flow(config: FlowConfig, tensors: Mapping[str, Tensor], path: Path) -> Flow:
    """A flow in eval mode with the given weights.

    Args:
        config: Configuration of the flow.
        tensors: Its state dict.
        path: Path of the file that they are from, for errors.

    Raises:
        WeightsError: If the weights are another flow's.
    """
    _check_size(tensors, config, path)
    # Not on the meta device: its first use imports for seconds, a compact flow takes 0.1 s.
    device = torch.get_default_device()
    if device.type == "meta":
        raise WeightsError(
            "the meta device holds no weights. Load outside of torch.device('meta')."
        )
    with torch.device("cpu"), _Blank():
        flow = build(config).float()  # whatever torch's default type is now
    _check_tensors(tensors, flow.state_dict(), path)
    flow.load_state_dict(tensors)
    flow = flow.to(device)
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


# Functions that draw initial weights and decompose them: many small matrices, which takes longer
# than all else where other processes keep the cores busy.
WITHOUT_RANDOM: dict[Any, Callable[..., Any]] = {
    torch.randn: torch.zeros,
    torch.linalg.qr: lambda matrix: _QR((matrix, matrix)),
    torch.linalg.lu: lambda matrix: (matrix, matrix, matrix),
    nn.init.uniform_: _left_alone,
    nn.init.kaiming_uniform_: _left_alone,
}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of model.safetensors."""
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
            f"{path} holds {held:,} numbers, the flow that config.json describes some "
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
