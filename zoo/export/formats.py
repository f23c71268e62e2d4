"""The files that a traced program becomes, and the runtimes that run them."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor
from torch.export import ExportedProgram

from zoo.errors import require
from zoo.export.guard import REFUSED
from zoo.export.precise import translations
from zoo.export.programs import quiet

FormatName = Literal["onnx", "torch"]
OPSET = 20

# Beginning of the keys of a program's metadata.
PROGRAM = "flowzoo."


class OnnxFile:
    """An ONNX model, run by onnxruntime.

    Args:
        program: Name of what it computes.
        inputs: Names.
        outputs: Names.
    """

    suffix = ".onnx"

    def __init__(self, program: ExportedProgram, inputs: list[str], outputs: list[str]) -> None:
        optimizer = require("onnxscript.optimizer", "onnx")
        self.outputs = outputs
        with quiet():
            options: Any = {"input_names": inputs, "output_names": outputs, "verbose": False}
            options["custom_translation_table"] = translations()
            options |= {"opset_version": OPSET, "optimize": False}
            converted: Any = torch.onnx.export(program, dynamo=True, **options)
        optimizer.fold_constants(converted.model)  # runtimes fuse operators themselves
        optimizer.remove_unused_nodes(converted.model)
        self.model: Any = converted.model_proto
        _tidy(self.model)
        self._session: Any = None

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Run it, in onnxruntime on the CPU."""
        if self._session is None:
            runtime = require("onnxruntime", "onnx")
            options = runtime.SessionOptions()
            options.log_severity_level = 4  # errors are raised, not printed too
            options.intra_op_num_threads = torch.get_num_threads()
            self._session = runtime.InferenceSession(
                self.model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        names = (port.name for port in self._session.get_inputs())
        feeds = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
        return [torch.from_numpy(array) for array in self._session.run(self.outputs, feeds)]

    def versions(self) -> dict[str, str]:
        """Opset and packages that made it."""
        modules = {name: require(name, "onnx") for name in ("onnx", "onnxscript", "onnxruntime")}
        return {"opset": str(OPSET), **{name: m.__version__ for name, m in modules.items()}}

    def bytes(self, facts: Mapping[str, str]) -> bytes:
        """The file, with facts in its metadata."""
        require("onnx.helper", "onnx").set_model_props(self.model, dict(facts))
        data: bytes = self.model.SerializeToString()
        return data


class TorchFile:
    """A program of `torch.export`, which `torch.export.load` reads without flowzoo.

    Args:
        program: Name of what it computes.
    """

    suffix = ".pt2"

    def __init__(self, program: ExportedProgram, inputs: list[str], outputs: list[str]) -> None:
        self.program = program
        self._module: Any = None

    def run(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Run what is read back from the file."""
        if self._module is None:
            self._module = torch.export.load(io.BytesIO(self.bytes({}))).module()
        return list(self._module(*inputs))

    def versions(self) -> dict[str, str]:
        """Nothing but torch made it."""
        return {}

    def bytes(self, facts: Mapping[str, str]) -> bytes:
        """The file, with facts as extra files in it."""
        file = io.BytesIO()
        with quiet():
            torch.export.save(self.program, file, extra_files=dict(facts))
        return file.getvalue()


File: TypeAlias = OnnxFile | TorchFile
FORMATS: dict[str, type[File]] = {"onnx": OnnxFile, "torch": TorchFile}


def _tidy(model: Any) -> None:
    """Name dimensions and the guard; leave out what torch notes of the source code."""
    known = _symbols(model.graph.input)
    values = [*model.graph.input, *model.graph.output, *model.graph.value_info]
    for value in values:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"s\d+", lambda s: known.get(s[0], s[0]), dim.dim_param)
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0].endswith(".nothing"):
            node.name = REFUSED
    for part in (model.graph, *values, *model.graph.node, *model.graph.initializer):
        del part.metadata_props[:]


def _symbols(inputs: Any) -> dict[str, str]:
    """Meaning of each free dimension, by torch's name for it."""

    def pairs() -> Iterator[tuple[str, str]]:
        for value in inputs:
            dims = value.type.tensor_type.shape.dim
            for dim, name in zip(dims, ("batch", "", "rows", "columns"), strict=False):
                yield dim.dim_param.split("*")[-1], name

    return dict(pairs())
