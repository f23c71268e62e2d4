import os

# Before huggingface_hub is imported: no test may wait for a network that is not there.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

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
