"""Costs of solves on a GPU are those that the measurement in docs/ gives."""

import json
from pathlib import Path

import pytest

from benchmarks.costs import LAUNCHES, PLANS, fit, name_of
from benchmarks.on_gpu.solvers import costs, shape_of
from zoo.solvers.choice import COSTS, Work

MEASURED = Path("docs/benchmarks/gpu/gpu.json")


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    return json.loads(MEASURED.read_text())["solvers"]


def test_the_costs_of_gpus_are_fitted_to_the_measurement(rows) -> None:
    for kind, fitted in costs(rows).items():
        for field, value in zip(Work._fields, fitted, strict=True):
            assert getattr(COSTS[kind], field) == pytest.approx(value, rel=0.01), (kind, field)


def test_arithmetic_is_kept_where_it_is_known(rows) -> None:
    known = COSTS["captured"]
    shapes = {shape_of(row, "captured") for row in rows}
    cases = [(shape, {PLANS["dense"]: 5.0, PLANS["row_scan"]: 9.0}) for shape in shapes]
    found = fit(cases, known)
    for field in set(Work._fields) - set(LAUNCHES):
        assert getattr(found, field) == getattr(known, field)


def test_names_of_plans_are_read_back() -> None:
    assert all(name_of(plan) == name for name, plan in PLANS.items())
