"""Flows outside of torch: ONNX and torch.export, checked before anything is written.

`trace` makes a `torch.export.ExportedProgram` of one direction of a flow, `export` writes files.
Nothing of ONNX is imported before it is needed.
"""

from zoo.export.programs import BOTH, PROGRAMS, trace
from zoo.export.write import export

__all__ = ["BOTH", "PROGRAMS", "export", "trace"]
