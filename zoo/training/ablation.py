"""The ablation of CONF on MNIST: convolution x adaptive or fixed x gate, at equal budget.

    python -m zoo.training.ablation --data-dir data --steps 2000
    python -m zoo.training.ablation --data-dir data --steps 2000 --seed 1 --only VARIANT ...

Each run is recipes/mnist/conf.yaml with one variant's overrides and the same number of steps; it is
kept in runs/conf_ablation/<variant>-seed<seed> and not repeated once its result is there. The table
of all results, best first, is runs/conf_ablation/ablation.csv.
"""

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import torch

from zoo.files import write_csv, write_json
from zoo.training.cli import train
from zoo.training.data import ImageData
from zoo.training.export import load_checkpoint

RECIPE = Path(__file__).parents[2] / "recipes" / "mnist" / "conf.yaml"
RESULT = "result.json"

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


def arguments(variant: str, folder: Path, data_dir: Path, steps: int, seed: int) -> list[str]:
    """What `flowzoo train` is called with for one run."""
    return [
        *("--config", str(RECIPE), "--data.dir", str(data_dir)),
        *("--model.overrides", json.dumps(VARIANTS[variant]), "--seed_everything", str(seed)),
        *("--trainer.max_steps", str(steps), "--trainer.val_check_interval", str(steps)),
        # Averages reach over a tenth of the run: the recipe's would hold untrained weights here.
        *("--ema.decay", str(max(0.0, 1 - 10 / steps))),
        *("--trainer.default_root_dir", str(folder)),
        *("--checkpoint.dirpath", str(folder / "checkpoints")),
    ]


def run(variant: str, output: Path, data_dir: Path, steps: int, seed: int) -> None:
    """Train one variant and write its validation bits/dim, unless that is done already."""
    folder = output / f"{variant}-seed{seed}"
    if (folder / RESULT).exists():
        return
    train(arguments(variant, folder, data_dir, steps, seed))
    flow, _ = load_checkpoint(folder / "checkpoints" / "last.ckpt")
    data = ImageData("mnist", str(data_dir))
    data.setup("fit")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        batches = [
            flow.bits_per_dim(images, generator=generator) for images in data.val_dataloader()
        ]
    bits = torch.cat(batches)
    result = {
        "variant": variant,
        "seed": seed,
        "steps": steps,
        "bits_per_dim": float(bits.mean()),
        "standard_error": float(bits.std() / len(bits) ** 0.5),
        "parameters": sum(parameter.numel() for parameter in flow.parameters()),
    }
    write_json(folder / RESULT, result)


def write_table(output: Path) -> None:
    """Collect the results in ablation.csv, best first."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in output.glob(f"*/{RESULT}")]
    write_csv(output / "ablation.csv", sorted(results, key=lambda row: row["bits_per_dim"]))


def main() -> None:
    """Run the variants that are asked for, one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--output", type=Path, default=Path("runs/conf_ablation"))
    options = parser.parse_args()
    for variant in options.only:
        run(variant, options.output, options.data_dir, options.steps, options.seed)
        write_table(options.output)


if __name__ == "__main__":
    main()
