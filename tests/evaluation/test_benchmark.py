import csv
import itertools

import pytest
import torch

from benchmarks import flows as flow_benchmark
from benchmarks import inverse as inverse_benchmark
from benchmarks.costs import fit, name_of
from benchmarks.flows import TASKS, Row, coupling_flops, parts
from benchmarks.inverse import Case, curve_cases, layer_cases, measure, regret, timed
from benchmarks.timing import interleaved_medians
from tests.test_flow import noise, tiny
from zoo.solvers.choice import candidates, cost, work

SMALL = [
    Case(images, unit, channels, side, 3, batch)
    for unit, channels, (images, side), batch in itertools.product(
        ("PaddedConv2d", "FInCUnit"), (4, 8), (("32 x 32", 4), ("side", 6), ("kernel", 8)), (1, 100)
    )
]


def test_the_cases_are_those_of_the_papers() -> None:
    cases = list(layer_cases())
    assert {case.unit for case in cases} == {"PaddedConv2d", "FInCUnit"}
    assert {case.kernel for case in cases} == {3, 5, 7}
    assert {case.batch for case in cases} == {1, 16, 100}
    layers = {(case.channels, case.side) for case in cases if case.kernel == 7}
    assert layers == {(12, 16), (24, 8), (48, 4), (12, 32), (24, 16), (48, 8), (96, 4)}
    assert {case.side for case in curve_cases() if case.images == "side"} == {8, 16, 32, 64, 128}
    assert {case.kernel for case in curve_cases() if case.images == "kernel"} == set(range(2, 12))
    held_out = [case for case in cases if not case.calibration]
    assert len(held_out) > len(cases) / 2


@pytest.mark.parametrize("case", SMALL[:4], ids=str)
def test_every_plan_is_timed_and_right(case: Case) -> None:
    rows = measure(case, repeats=1)
    assert len(rows) == len(candidates(case.shape)) + 2  # auto and wavefront
    assert sum(row.chosen for row in rows) == 1
    assert all(row.error < 1e-5 for row in rows)
    assert all(row.inverse_ms > 0 for row in rows)
    assert regret(rows) >= 1


def test_the_fit_finds_the_costs_that_made_the_times() -> None:
    measured = []
    for case in SMALL:
        times = {plan: cost(plan, case.shape) / 1000 for plan in candidates(case.shape)}
        measured.append(
            [
                inverse_benchmark.Row(case, name_of(plan), False, 1.0, time, 0.0)
                for plan, time in times.items()
            ]
        )
    costs = fit(timed(measured))
    for case in (case for case in SMALL if case.calibration):
        times = {plan: cost(plan, case.shape) for plan in candidates(case.shape)}
        for plan, time in times.items():
            if time < 3 * min(times.values()):  # the others are left out of the fit
                fitted = sum(a * b for a, b in zip(costs, work(plan, case.shape), strict=True))
                assert fitted == pytest.approx(time, rel=1e-6)


def test_medians_are_of_interleaved_calls() -> None:
    calls = []
    medians = interleaved_medians(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 2
    )
    assert calls == ["a", "b"] * 3
    assert set(medians) == {"a", "b"}


def test_inverse_command_writes_a_table_and_a_figure(run_benchmark, tmp_path, monkeypatch) -> None:
    units = ("PaddedConv2d", "FInCUnit")
    curves = [Case("side", unit, 4, side, 3, 2) for unit in units for side in (4, 8)]
    curves += [Case("kernel", unit, 4, 8, k, 2) for unit in units for k in (2, 3)]
    layers = [case for case in SMALL if case.images == "32 x 32" and case.channels == 4]
    monkeypatch.setattr(inverse_benchmark, "layer_cases", lambda: layers)
    monkeypatch.setattr(inverse_benchmark, "curve_cases", lambda: curves)
    code, result, _ = run_benchmark("inverse", "--repeats", "1", "-o", tmp_path)
    assert code == 0
    assert "the choice is within 15% of the best in" in result
    with open(tmp_path / "inverse.csv") as file:
        records = list(csv.DictReader(file))
    columns = {"unit", "method", "forward_ms", "inverse_ms", "ratio", "error", "threads"}
    assert columns <= set(records[0])
    assert {record["side"] for record in records} == {"4", "8"}
    assert (tmp_path / "inverse.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def measured() -> list[Row]:
    return flow_benchmark.measure("compact_mnist", 2, 1)


def test_flows_command_writes_a_table(run_benchmark, measured, tmp_path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(flow_benchmark, "measure", lambda *given: asked.append(given) or measured)
    arguments = ("--preset", "compact_mnist", "--batch-size", "2", "--repeats", "1")
    code, result, _ = run_benchmark("flows", *arguments, "-o", tmp_path)
    assert code == 0
    assert asked == [("compact_mnist", 2, 1)]
    assert "FInCUnit" in result
    with open(tmp_path / "flows.csv") as file:
        records = list(csv.DictReader(file))
    assert {record["task"] for record in records} == set(TASKS)
    glow = [record for record in records if record["architecture"] == "glow"]
    assert {record["ratio"] for record in glow} == {"1"}


def test_flows_of_no_size_are_an_error(run_benchmark) -> None:
    code, _, err = run_benchmark("flows", "--preset", "compact_minst")
    assert code == 2
    assert "no configuration 'compact_minst'. Did you mean compact_mnist" in err


def test_parts_add_up_and_leave_the_flow_as_it_was(measured) -> None:
    rows = {row.task: row for row in measured if row.architecture == "finc"}
    spent = rows["sample"].parts
    assert {"FInCUnit", "ActNorm", "Conv1x1", "AffineCoupling", "other"} <= set(spent)
    assert all(value >= 0 for value in spent.values())


def test_the_floor_counts_the_coupling_nets() -> None:
    flow, images = tiny("finc"), noise()
    before = flow.encode(images)
    # conv 3x3 a -> h, conv 1x1 h -> h, conv 3x3 h -> b on every pixel, 2 operations each.
    expected = 0
    for level, block in enumerate(flow.blocks, start=1):
        pixels = len(images) * (images.shape[2] >> level) * (images.shape[3] >> level)
        for layer in block.bijections:
            if hasattr(layer, "net"):
                weights = sum(p.numel() for p in layer.net.parameters() if p.dim() == 4)
                expected += 2 * pixels * weights
    assert coupling_flops(flow, images) == expected
    parts(flow, lambda: flow.sample(1))
    assert torch.equal(flow.encode(images), before)
