"""`python -m zoo`, the same as `flowzoo`."""

from zoo.cli import main

main()
