"""Measure flowzoo on a GPU: exactness, inverses, whole flows, training.

    python -m benchmarks gpu --output docs/benchmarks/gpu
    python -m benchmarks gpu --sections machine exact solvers --budget 230
    python -m benchmarks gpu --sections flows training --budget 230

Prints tables and writes gpu.json after every row, so that what was measured is kept whatever ends
it. On a machine without a GPU, or with --tiny, it is a dry run with small sizes.
"""

import argparse
from pathlib import Path

import torch

from benchmarks.on_gpu.exact import exact
from benchmarks.on_gpu.flows import flows
from benchmarks.on_gpu.machine import machine
from benchmarks.on_gpu.report import Report, Setup
from benchmarks.on_gpu.solvers import solvers
from benchmarks.on_gpu.training import training
from zoo.devices import find_device

SECTIONS = {
    "machine": machine,
    "exact": exact,
    "solvers": solvers,
    "flows": flows,
    "training": training,
}


def main() -> None:
    """Run the sections, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--budget", type=float, default=500.0, help="seconds")
    parser.add_argument("--batch", type=int, default=100)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tiny", action="store_true", help="dry run")
    parser.add_argument("--output", type=Path, default=Path("runs/gpu"))
    options = parser.parse_args()
    device = find_device(options.device)
    tiny = options.tiny or not torch.cuda.is_available()
    setup = Setup(device, 2 if tiny else options.batch, tiny)
    report = Report(options.output / "gpu.json", options.budget)
    for name in options.sections:
        report.run(name, SECTIONS[name], setup)


if __name__ == "__main__":
    main()
