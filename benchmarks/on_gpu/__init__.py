"""Sections of `python -m benchmarks gpu`: each a function that yields rows as it finds them."""
