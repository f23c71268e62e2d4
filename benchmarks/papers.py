"""The papers' comparisons of parts on CIFAR-10, in equal training runs.

    python -m benchmarks papers --data-dir data
    python -m benchmarks papers --data-dir data --only emerging-quad

CInC's: {emerging, cinc} x {affine, quad coupling}. CONF's: the three variants that were best on
MNIST. The flows of a comparison have as many parameters within 5 %. A run stays in
runs/papers/<variant>-seed<seed> and is not repeated once its result is there; papers.csv beside it
is the table of all results.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import zoo
from benchmarks.equal_runs import Run, likelihood, options, validation_images, write_table
from zoo.architectures import ARCHITECTURES
from zoo.architectures.cinc import CIncQuadConfig
from zoo.architectures.multiscale import multiscale
from zoo.bijections import ActNorm, Bijection, Conv1x1, EmergingConv2d, QuadCoupling, Split
from zoo.errors import ArgumentError, suggest
from zoo.flow import Flow

STEPS, IMAGES = 1000, 1000
# As many parameters as affine couplings of the compact width have.
WIDE = {"hidden_channels": 132}


@dataclass(frozen=True, kw_only=True)
class EmergingQuadConfig(CIncQuadConfig):
    """Configuration of emerging convolutions with Quad-coupling, which no paper has alone."""


# Architecture, whose recipe is taken, and fields of its configuration.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "emerging-affine": ("emerging", {}),
    "emerging-quad": ("emerging_quad", WIDE),
    "cinc-affine": ("cinc", {}),
    "cinc-quad": ("cinc_quad", WIDE),
    "conf-reflect-adaptive-slog": ("conf", {}),
    "conf-symmetric-adaptive-slog": ("conf", {"convolution": "symmetric"}),
    "conf-reflect-adaptive-asinh": ("conf", {"gate": "asinh"}),
}


def emerging_quad(config: EmergingQuadConfig) -> Flow:
    """Build a flow of emerging convolutions and Quad-couplings."""

    def step(channels: int) -> tuple[Bijection, ...]:
        convolution = EmergingConv2d(channels, **config.options)
        width, shared = config.hidden_channels, config.shared_net
        coupling = QuadCoupling(channels, width, shared=shared, **config.coupling)
        return ActNorm(channels), Conv1x1(channels), convolution, coupling

    return multiscale(config, step, partial(Split, bounds=config.bounds))


def register() -> None:
    """Make `emerging_quad` an architecture of this process."""
    if "emerging_quad" not in zoo.list_architectures():
        quad = ARCHITECTURES["cinc_quad"].preset("compact_cifar10")
        presets = {"compact_cifar10": EmergingQuadConfig(**vars(quad))}
        zoo.register_architecture("emerging_quad", presets=presets)(emerging_quad)


def make_run(variant: str, output: Path, seed: int) -> Run:
    """The run of a variant."""
    architecture, overrides = VARIANTS[variant]
    recipe = f"cifar10/{architecture.removesuffix('_quad')}.yaml"
    more = (*options("cifar10"), "--model.architecture", architecture)
    return Run(recipe, output / f"{variant}-seed{seed}", overrides, STEPS, seed, more)


def measure(flow: Flow, variant: str, data_dir: Path) -> dict[str, Any]:
    """Bits/dim on images of the validation split."""
    return {"variant": variant, **likelihood(flow, validation_images("cifar10", data_dir, IMAGES))}


def run(data_dir: Path, output: Path, only: list[str] | None, seed: int) -> None:
    """Train the variants that are asked for, one after the other."""
    register()
    for variant in only or VARIANTS:
        if variant not in VARIANTS:
            raise ArgumentError(f"no variant {variant!r}.{suggest(variant, VARIANTS)}")
        training = make_run(variant, output, seed)
        training.result(data_dir, lambda flow, name=variant: measure(flow, name, data_dir))
        write_table(output, "papers.csv", lambda row: (row["variant"], row["seed"]))
