import os

# Before huggingface_hub is imported: no test may wait for a network that is not there.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Before torch is: threads of all workers, each on every core, would mostly wait for one another.
if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    threads = max(1, (os.cpu_count() or 1) // int(workers))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))

import pytest

from zoo import cli


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command in this process: (exit code, output, errors)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["flowzoo", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err

    return run
