"""Weights: their identity, and the flow that they belong to, loaded strictly."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo.architectures import build, config_to_json
from zoo.config import MAGNITUDE_FACTOR, FlowConfig
from zoo.documents import DocumentError, content_hash, read_tensors
from zoo.errors import DamagedError, WeightsError
from zoo.flow import Flow


def identity(flow: Flow) -> str:
    """The identity of a flow: "v2:" and a hash of the configuration and the weights."""
    return identity_of(flow.config, content_hash(flow.state_dict()))


def identity_of(config: FlowConfig, sha256: str) -> str:
    """The identity of a flow with weights of this content hash."""
    # A number is the same with a point and without one.
    about = json.loads(json.dumps(config_to_json(config)), parse_int=float)
    del about["schema_version"]
    text = f"{json.dumps(about, sort_keys=True)}\n{sha256}"
    return f"v2:{hashlib.sha256(text.encode()).hexdigest()}"


def is_identity(found: object, flow: Flow) -> bool:
    """Whether an identity that was found is the flow's; the oldest are hashes of weights alone."""
    return found in (identity(flow), content_hash(flow.state_dict()))


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


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of model.safetensors."""
    try:
        return read_tensors(path)[0]
    except FileNotFoundError as error:
        raise WeightsError(
            f"there is no {path.name} in {path.parent}. Get the file again."
        ) from error
    except (OSError, DocumentError) as error:
        raise DamagedError(f"{path} is damaged ({error}). Get the file again.") from error


def most_bytes(config: FlowConfig) -> int:
    """The size of the largest file of weights that can be the flow's."""
    return 2**20 + 8 * MAGNITUDE_FACTOR * config.magnitude


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
        indices = found[name].cpu()
        if name.endswith("permutation") and not torch.equal(
            indices.sort().values, torch.arange(indices.numel())
        ):
            raise WeightsError(f"{path}: {name} is no permutation. Get the file again.")
