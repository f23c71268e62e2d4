"""`python -m benchmarks NAME [options]`: measure one of the tables of the docs, from a clone."""

from benchmarks.commands import app
from zoo.cli.main import run

run(app, "python -m benchmarks")
