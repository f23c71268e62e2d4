"""Cost and benefit of bounds of couplings and taps: equal runs with and without them.

    python -m benchmarks bounds --data-dir data
    python -m benchmarks bounds --data-dir data --only cifar10-finc-free --only cifar10-finc-stable

A run is <data set>-<architecture>-<variant>: the recipe of that data set and architecture, with the
variant's fields of the configuration, in 2,000 steps on MNIST and 1,000 on the others. It stays in
runs/bounds/<run>-seed<seed> and is not repeated once its result is there; runs/bounds/bounds.csv is
the table of all results.
"""

from pathlib import Path
from typing import Any

import torch

from benchmarks.equal_runs import RECIPES, Run, likelihood, options, validation_images, write_table
from zoo.architectures import ARCHITECTURES
from zoo.exact.patterns import mosaics
from zoo.exact.round_trip import precision, round_trip_error
from zoo.flow import Flow
from zoo.images import hard_images

STEPS = {"cifar10": 1000, "mnist": 2000, "photos": 1000}
IMAGES = 1000
# Sides, in units of the training images', at which exactness is measured.
SIDES = (1, 4, 16)

COUPLINGS = {"shift_max": 8.0, "log_scale_max": 1.0, "input_max": 5.0}
UNBOUNDED = {"shift_max": None, "log_scale_max": 2.0, "input_max": None}
# Changes of a variant in the couplings; and the bound of the taps, where there are taps.
VARIANTS: dict[str, tuple[dict[str, Any], float | None]] = {
    "free": (UNBOUNDED, None),
    "shift": ({**UNBOUNDED, "shift_max": 8.0}, None),
    "log_scale": ({**UNBOUNDED, "log_scale_max": 1.0}, None),
    "input": ({**UNBOUNDED, "input_max": 5.0}, None),
    "couplings": (COUPLINGS, None),
    "couplings-shift4": ({**COUPLINGS, "shift_max": 4.0}, None),
    "couplings-shift16": ({**COUPLINGS, "shift_max": 16.0}, None),
    "stable": (COUPLINGS, 0.95),
}


def make_run(name: str, output: Path, seed: int) -> Run:
    """The run of a name: data set, architecture, variant."""
    dataset, architecture, variant = name.split("-", 2)
    overrides, gain_max = VARIANTS[variant]
    if hasattr(ARCHITECTURES[architecture].presets[f"compact_{dataset}"], "gain_max"):
        overrides = {**overrides, "gain_max": gain_max}
    return Run(
        f"{dataset}/{architecture}.yaml",
        output / f"{name}-seed{seed}",
        overrides,
        STEPS[dataset],
        seed,
        options(dataset),
    )


@torch.no_grad()
def measure(flow: Flow, name: str, data_dir: Path) -> dict[str, Any]:
    """Validation bits/dim, what hostile images take, and exactness at larger sizes."""
    dataset, architecture, variant = name.split("-", 2)
    images = validation_images(dataset, data_dir, IMAGES, flow.config.size)
    hostile = hard_images(flow.config.channels, flow.config.size, images)
    z = torch.cat([flow.encode(batch).double() for batch in hostile.split(32)])
    errors = [
        round_trip_error(flow, batch, flow.encode(batch, exact=False))
        for batch in hostile.split(32)
    ]
    error = torch.cat(errors)
    layers = flow.certify(images[:1]).layers
    return {
        "data": dataset,
        "flow": architecture,
        "variant": variant,
        **likelihood(flow, images),
        "hostile": len(hostile),
        **precision(z),
        "median_error": float(error.median()),
        "worst_error": float(error.max()),
        "g": max((layer.g for layer in layers if layer.g is not None), default=None),
        **{f"error_{sides}": _error_at(flow, images, sides) for sides in SIDES},
    }


def _error_at(flow: Flow, images: torch.Tensor, sides: int) -> float:
    """The worst float32 error of two mosaics of natural images, in grey levels."""
    while images.shape[-1] < sides * flow.config.size[-1]:
        images = mosaics(images)
    errors = [
        round_trip_error(flow, image, flow.encode(image, exact=False))
        for image in images[:2].split(1)
    ]
    return float(torch.cat(errors).max())


def run(data_dir: Path, output: Path, only: list[str] | None, seed: int) -> None:
    """Train and measure what is asked for, one after the other."""
    recipes = [(d, a) for d in STEPS for a in ARCHITECTURES if (RECIPES / d / f"{a}.yaml").exists()]
    names = only or [f"{d}-{a}-{v}" for d, a in recipes for v in VARIANTS]
    for name in names:
        training = make_run(name, output, seed)
        training.result(data_dir, lambda flow, name=name: measure(flow, name, data_dir))
        write_table(output, "bounds.csv", lambda row: (row["data"], row["flow"], row["variant"]))
