"""Trace, prove, write."""

import copy
import json
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from zoo import __version__
from zoo.architectures import config_to_json
from zoo.errors import ArgumentError, ImageError
from zoo.exact.patterns import hard_images, mosaics
from zoo.export.formats import FORMATS, PROGRAM, File, FormatName
from zoo.export.programs import BOTH, Shapes, What, names, trace
from zoo.export.proof import Proof, prove
from zoo.files import write_atomically
from zoo.flow import Flow, Size
from zoo.folder import content_hash
from zoo.images import check_images
from zoo.sources import MODELS


def paths(folder: str | Path, format: FormatName, what: What | Literal["both"]) -> list[Path]:
    """The files that `export` writes."""
    if format not in FORMATS:
        raise ArgumentError(f"format must be one of {', '.join(FORMATS)}; got {format!r}.")
    programs = BOTH if what == "both" else (what,)
    return [Path(folder) / f"{program}{FORMATS[format].suffix}" for program in programs]


def export(
    flow: Flow,
    folder: str | Path,
    format: FormatName = "onnx",
    what: What | Literal["both"] = "both",
    *,
    size: Size | Literal["dynamic"] | None = None,
    batch: int | Literal["dynamic"] = "dynamic",
    images: Tensor | None = None,
    allow_inexact: bool = False,
) -> list[Path]:
    """Write programs of a flow, once images came back through them; see `Flow.export`."""
    outputs, shapes = paths(folder, format, what), Shapes.of(flow, size, batch)
    sets = _proof_images(flow, shapes, images)
    plain = copy.deepcopy(flow).cpu().float().eval()
    files: dict[What, File] = {}
    for program in BOTH if what == "both" else (what,):
        traced = trace(plain, program, size=size, batch=batch)
        files[program] = FORMATS[format](traced, *names(flow, program, dynamic=shapes.dynamic))
    proof = prove(plain, {name: file.run for name, file in files.items()}, shapes, sets)
    if not allow_inexact:
        proof.check()
    for path, file in zip(outputs, files.values(), strict=True):
        write_atomically(path, file.bytes(_facts(flow, path.stem, shapes, file, proof)))
    return outputs


def _facts(flow: Flow, what: str, shapes: Shapes, file: File, proof: Proof) -> dict[str, str]:
    """Entries of a file's metadata, each key after "flowzoo."."""
    facts = {
        "sha256": content_hash(flow.state_dict()),
        "config": json.dumps(config_to_json(flow.config)),
        "program": what,
        "size": "dynamic" if shapes.dynamic else json.dumps(shapes.size),
        "batch": str(shapes.batch or "dynamic"),
        **proof.facts(),
        "version": __version__,
        "torch": torch.__version__,
        **file.versions(),
    }
    return {f"{PROGRAM}{key}": value for key, value in facts.items()}


def _proof_images(flow: Flow, shapes: Shapes, own: Tensor | None) -> list[Tensor]:
    """Hard images and noise, golden ones and the caller's: sets of one size each."""
    sets = [hard_images(flow.config.channels, shapes.size)]
    if shapes.dynamic:
        sets.append(mosaics(sets[0]))
    if own is not None:
        check_images(own, flow.config.channels, flow.divisor)
        if not shapes.takes(own):
            height, width = shapes.size
            raise ImageError(f"the images to check must be {height} x {width}, as is exported.")
        sets.append(own.cpu())
    golden = _golden(flow)
    return [*sets, golden] if golden is not None and shapes.takes(golden) else sets


def _golden(flow: Flow) -> Tensor | None:
    """Golden images of a model of the zoo; None for other weights."""
    name = flow.origin["name"] if flow.origin else None
    if name not in MODELS or content_hash(flow.state_dict()) != MODELS[name].sha256:
        return None
    return MODELS[name].folder.golden.images
