"""The ablation of CONF on MNIST: convolution x adaptive or fixed x gate, at equal budget.

    python -m benchmarks conf_ablation --data-dir data --steps 2000
    python -m benchmarks conf_ablation --data-dir data --steps 2000 --seed 1 --only VARIANT

Each run is recipes/mnist/conf.yaml with one variant's overrides and the same number of steps; it is
kept in runs/conf_ablation/<variant>-seed<seed> and not repeated once its result is there. The table
of all results, best first, is runs/conf_ablation/ablation.csv.
"""

import itertools
from pathlib import Path
from typing import Any

from benchmarks.equal_runs import Run, likelihood, validation_images, write_table
from zoo.errors import ArgumentError, suggest
from zoo.flow import Flow

CONVOLUTIONS = ("circular", "reflect", "symmetric")
KERNELS = {"adaptive": True, "fixed": False}
GATES = ("slog", "asinh", "leaky_relu", "none")

VARIANTS: dict[str, dict[str, Any]] = {
    **{
        f"{convolution}-{kernel}-{gate}": {
            "convolution": convolution,
            "adaptive": KERNELS[kernel],
            "gate": gate,
        }
        for convolution, kernel, gate in itertools.product(CONVOLUTIONS, KERNELS, GATES)
    },
    # Without any convolution it is Glow, with or without a gate.
    **{f"none-{gate}": {"convolution": "none", "gate": gate} for gate in ("slog", "none")},
}


def make_run(variant: str, output: Path, steps: int, seed: int) -> Run:
    """The run of a variant."""
    folder = output / f"{variant}-seed{seed}"
    return Run("mnist/free/conf.yaml", folder, VARIANTS[variant], steps, seed)


def measure(flow: Flow, variant: str, data_dir: Path) -> dict[str, Any]:
    """Bits/dim on the validation split."""
    return {"variant": variant, **likelihood(flow, validation_images("mnist", data_dir))}


def run(data_dir: Path, output: Path, only: list[str] | None, steps: int, seed: int) -> None:
    """Train the variants that are asked for, one after the other."""
    for variant in only or VARIANTS:
        if variant not in VARIANTS:
            raise ArgumentError(f"no variant {variant!r}.{suggest(variant, VARIANTS)}")
        training = make_run(variant, output, steps, seed)
        training.result(data_dir, lambda flow, name=variant: measure(flow, name, data_dir))
        write_table(output, "ablation.csv", lambda row: row["bits_per_dim"])
