"""The `flowzoo` command, a group of commands a file."""

from zoo.cli.main import main

__all__ = ["main"]
