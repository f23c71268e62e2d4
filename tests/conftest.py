import os
from dataclasses import asdict
from functools import partial

# Before huggingface_hub is imported: no test may wait for a network that is not there.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Before torch is: threads of all workers, each on every core, would mostly wait for one another.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    threads = max(1, (os.cpu_count() or 1) // int(workers))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))

import pytest

import hubconf
from tests.folders import UNPUBLISHED
from zoo import cli
from zoo.cli.main import run as run_commands
from zoo.sources import MODELS
from zoo.sources.names import Model


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process: (exit code, output, errors)."""
    return lambda *arguments: _run(monkeypatch, capsys, cli.main, "flowzoo", arguments)


@pytest.fixture
def run_benchmark(monkeypatch, capsys):
    """Run `python -m benchmarks` in this process: (exit code, output, errors)."""
    from benchmarks.commands import app

    main, name = partial(run_commands, app, "python -m benchmarks"), "benchmarks"
    return lambda *arguments: _run(monkeypatch, capsys, main, name, arguments)


def _run(monkeypatch, capsys, main, name: str, arguments) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out, captured.err


@pytest.fixture
def unpublished(monkeypatch):
    """Add a model without weights to the zoo, and its entrypoint to hubconf."""
    model = Model(UNPUBLISHED, "glow", "compact_photos", "photos")
    monkeypatch.setitem(MODELS, model.name, model)
    entrypoint = hubconf._make_model(**asdict(model))
    monkeypatch.setattr(hubconf, model.name, entrypoint, raising=False)


@pytest.fixture
def registries():
    """Forget after a test what it registers."""
    from zoo.architectures.registry import ARCHITECTURES
    from zoo.data.catalogue import FACTS, IMAGE_SETS

    before = [dict(table) for table in (ARCHITECTURES, FACTS, IMAGE_SETS)]
    yield
    for table, entries in zip((ARCHITECTURES, FACTS, IMAGE_SETS), before, strict=True):
        table.clear()
        table.update(entries)
