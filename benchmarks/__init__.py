"""Measurements that the docs report; from a clone, `python -m benchmarks NAME`."""
