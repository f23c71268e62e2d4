"""Files that may come from anyone: JSON and safetensors, read within limits and checked.

A sealed file is one of safetensors whose metadata hold a JSON description, and a hash of it and of
all tensors. So no bit of either can change unnoticed.
"""

import hashlib
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from zoo.errors import ConfigError

T = TypeVar("T")
KEY, SEAL = "flowzoo", "sha256"
# Far more than any file of a model needs, and little enough to be read in a second.
MOST_BYTES, MOST_TENSORS = 2**26, 2**17


class Each(NamedTuple):
    """The schema of every entry of a dict, whatever their keys."""

    schema: Any


class DocumentError(ValueError):
    """A file that is not what it should be; its readers say which, and what to do."""


def read_text(path: str | Path) -> str:
    """The content of a text file.

    Raises:
        ConfigError: If it cannot be read, or is not in UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as text in UTF-8: {error}.") from error


def read_json(path: Path, schema: Any = dict[str, Any], most: int = MOST_BYTES) -> Any:
    """The content of a JSON file; see `parse_json`.

    Raises:
        OSError: If it cannot be read.
        DocumentError: If it is larger than `most` bytes, no JSON, or not of the schema.
    """
    with path.open("rb") as file:
        return parse_json(file.read(most + 1), schema, most)


def parse_json(text: str | bytes, schema: Any = dict[str, Any], most: int = MOST_BYTES) -> Any:
    """The content of JSON, if it is of a schema as `fits` takes them."""
    if len(text) > most:
        raise DocumentError(f"it has more than {most:,} bytes")
    try:
        document = json.loads(text)
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"it is no JSON: {error}") from error
    check(document, schema)
    return document


def check(value: Any, schema: Any) -> None:
    """Raise DocumentError unless a value is as a schema says."""
    if not fits(value, schema):
        raise DocumentError(f"it holds no JSON object, or lacks {lacking(value, schema)}")


def fits(value: Any, schema: Any) -> bool:
    """Whether a value of JSON is as a schema says.

    Args:
        value: Any.
        schema: A type, such as `dict[str, int | None]`; a list with the schema of all its entries;
            or a dict with the schema of each entry that there must be, beside any others.
    """
    kind, of = get_origin(schema), get_args(schema)
    if isinstance(schema, Mapping):
        return isinstance(value, dict) and lacking(value, schema) is None
    if kind in (Union, types.UnionType):
        return any(fits(value, choice) for choice in of)
    if kind is Literal:
        return value in of
    if isinstance(schema, Each) or kind is dict:
        entry = schema.schema if isinstance(schema, Each) else of[1]
        return isinstance(value, dict) and fits([*value.values()], [entry])
    if isinstance(schema, list):
        return isinstance(value, list) and all(fits(entry, schema[0]) for entry in value)
    if kind is tuple:
        return (
            isinstance(value, list | tuple) and len(value) == len(of) and all(map(fits, value, of))
        )
    if type(value) is int and schema in (int, float) and not -(2**63) <= value < 2**63:
        return False
    return schema is Any or type(value) in ((int, float) if schema is float else (schema,))


def lacking(value: Any, schema: Any) -> str | None:
    """The first entry of a schema that a value has not, or of another type; None if it has all."""
    if not isinstance(schema, Mapping) or not isinstance(value, dict):
        return "the right type"
    for key, of in schema.items():
        if key not in value or not fits(value[key], of):
            inner = isinstance(of, Mapping) and lacking(value.get(key), of)
            return f"{key}: {inner}" if inner else key
    return None


def make(cls: type[T], values: Any) -> T:
    """A dataclass of JSON values, each of the type that its field is annotated with.

    Raises:
        DocumentError: If one is missing, of another type, or of another name.
    """
    schema = {name: field.type for name, field in cls.__dataclass_fields__.items()}  # type: ignore[attr-defined]
    if type(values) is not dict or not values.keys() <= schema.keys():
        raise DocumentError(f"it is no {cls.__name__}")
    if wrong := lacking(values, {key: schema[key] for key in values}):
        raise DocumentError(f"{wrong} is {values[wrong]!r}")
    try:
        return cls(**{key: tuple(v) if type(v) is list else v for key, v in values.items()})
    except TypeError as error:  # one without a default is missing
        raise DocumentError(str(error)) from error


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over the sorted names, dtypes, shapes and bytes of the tensors."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors of a file of safetensors, memory-mapped, and its metadata.

    Raises:
        OSError: If it cannot be read.
        DocumentError: If it is damaged, or holds too many tensors.
    """
    try:
        with safe_open(path, framework="pt") as file:
            if len(names := file.keys()) > MOST_TENSORS:
                raise DocumentError(f"it has more than {MOST_TENSORS:,} tensors")
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise DocumentError(str(error)) from error


def seal(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> bytes:
    """The bytes of a sealed file."""
    text = json.dumps(about)
    return save(dict(tensors), {KEY: text, SEAL: _seal(tensors, text)})


def unseal(path: Path) -> tuple[dict[str, Tensor], dict[str, Any], bool]:
    """Tensors and description of a sealed file, and whether it is sealed: the oldest are not.

    Raises:
        OSError: If it cannot be read.
        DocumentError: If it is no such file, or not as it was written.
    """
    tensors, metadata = read_tensors(path)
    if KEY not in metadata or not metadata.keys() <= {KEY, SEAL}:
        raise DocumentError("flowzoo did not write it")
    sealed, text = SEAL in metadata, metadata[KEY]
    if sealed and metadata[SEAL] != _seal(tensors, text):
        raise DocumentError("it is damaged: it does not have the hash that it was written with")
    return tensors, parse_json(text), sealed


def _seal(tensors: Mapping[str, Tensor], text: str) -> str:
    return hashlib.sha256(f"{text}\n{content_hash(tensors)}".encode()).hexdigest()
