"""`python -m benchmarks NAME [options]`: run one of the measurements of this folder."""

import argparse
import runpy
import sys
from pathlib import Path

NAMES = ("bounds", "conf_ablation", "gpu", "launches")

parser = argparse.ArgumentParser(prog="python -m benchmarks", add_help=False)
parser.add_argument("name", choices=NAMES)


def main() -> None:
    """Hand the other arguments to the module of that name."""
    name = parser.parse_args(sys.argv[1:2]).name
    sys.argv[0:2] = [f"python -m benchmarks {name}"]
    runpy.run_path(str(Path(__file__).with_name(f"{name}.py")), run_name="__main__")


if __name__ == "__main__":
    main()
