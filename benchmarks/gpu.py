"""Measure flowzoo on a GPU: exactness, inverses, whole flows, training.

    python -m benchmarks gpu --out docs/benchmarks/gpu
    python -m benchmarks gpu --section machine --section exact --section solvers --budget 230
    python -m benchmarks gpu --section flows --section training --budget 230

Prints tables and writes gpu.json after every row, so that what was measured is kept whatever ends
it. On a machine without a GPU, or with --tiny, it is a dry run with small sizes.
"""

from pathlib import Path

from benchmarks.on_gpu.exact import exact
from benchmarks.on_gpu.flows import flows
from benchmarks.on_gpu.machine import machine
from benchmarks.on_gpu.report import Report, Setup
from benchmarks.on_gpu.solvers import costs, solvers
from benchmarks.on_gpu.training import training
from zoo.errors import ArgumentError, suggest

SECTIONS = {
    "machine": machine,
    "exact": exact,
    "solvers": solvers,
    "flows": flows,
    "training": training,
}


def run(sections: list[str] | None, setup: Setup, output: Path, budget: float) -> None:
    """Run the sections, one after the other."""
    report = Report(output / "gpu.json", budget)
    for name in sections or SECTIONS:
        if name not in SECTIONS:
            raise ArgumentError(f"no section {name!r}.{suggest(name, SECTIONS)}")
        report.run(name, SECTIONS[name], setup)
    if setup.device.type == "cuda" and (rows := report.sections.get("solvers")):
        print("costs that fit best:", costs(rows))
