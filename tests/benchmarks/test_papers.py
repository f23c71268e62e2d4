"""The equal runs of the papers' comparisons."""

import pytest

import zoo
from benchmarks import equal_runs, papers
from tests.test_flow import tiny
from zoo.architectures import ARCHITECTURES, build
from zoo.errors import ArgumentError


@pytest.fixture
def registered(registries) -> None:
    papers.register()


def parameters(variant: str) -> int:
    architecture, overrides = papers.VARIANTS[variant]
    config = ARCHITECTURES[architecture].preset("compact_cifar10", **overrides)
    return sum(parameter.numel() for parameter in build(config).parameters())


def test_flows_of_a_comparison_are_of_equal_size(registered) -> None:
    for paper in ("conf", ("emerging", "cinc")):
        sizes = [parameters(name) for name in papers.VARIANTS if name.startswith(paper)]
        assert len(sizes) >= 3
        assert max(sizes) < 1.05 * min(sizes)


def test_every_run_is_measured_once(registered, tmp_path, monkeypatch) -> None:
    trained: list[list[str]] = []
    flow = tiny("finc", size=(8, 8))

    def train(arguments: list[str]) -> None:
        trained.append(arguments)

    monkeypatch.setattr(equal_runs, "train", train)
    monkeypatch.setattr(equal_runs, "load_checkpoint", lambda path: (flow, {"global_step": 1000}))
    monkeypatch.setattr(papers, "measure", lambda flow, name, data: {"variant": name})
    for _ in range(2):
        papers.run(tmp_path, tmp_path / "out", ["emerging-quad", "conf-reflect-adaptive-asinh"], 0)
    quad, asinh = trained
    assert quad[quad.index("--model.architecture") + 1] == "emerging_quad"
    assert quad[quad.index("--config") + 1].endswith("cifar10/emerging.yaml")
    assert '{"gate": "asinh"}' in asinh
    table = (tmp_path / "out" / "papers.csv").read_text()
    assert "emerging-quad" in table
    with pytest.raises(ArgumentError, match="no variant 'cinc-quads'. Did you mean cinc-quad"):
        papers.run(tmp_path, tmp_path / "out", ["cinc-quads"], 0)


def test_what_is_measured(monkeypatch, tmp_path) -> None:
    flow = tiny("finc", size=(8, 8))
    monkeypatch.setattr(papers, "validation_images", lambda *a: zoo.images.hard_images(1, (8, 8)))
    found = papers.measure(flow, "cinc-quad", tmp_path)
    assert found["variant"] == "cinc-quad"
    assert found["parameters"] == sum(p.numel() for p in flow.parameters())


def test_emerging_with_quad_couplings_comes_back(registered) -> None:
    config = ARCHITECTURES["emerging_quad"].preset(
        "compact_cifar10", steps=1, hidden_channels=8, size=(8, 8)
    )
    flow = zoo.build(config).eval()
    images = zoo.images.hard_images(3, (8, 8))
    assert (flow.decode(flow.encode(images)) == images).all()
