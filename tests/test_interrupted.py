"""Ctrl-C before the command has begun: one line and status 130, as later."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# In place of torch: the user gives up while it is imported.
GIVES_UP = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
raise ImportError("an interrupt that is lost")
"""
STARTS = {"script": ("-c", "from zoo.__main__ import main; main()"), "module": ("-m", "zoo")}


def start(how: str, folder: Path, sigint=signal.SIG_DFL) -> subprocess.CompletedProcess[str]:
    (folder / "torch.py").write_text(GIVES_UP)
    path = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, *STARTS[how], "ls"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, sigint),  # training may have ignored it
    )


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
@pytest.mark.parametrize("how", STARTS)
def test_ctrl_c_while_torch_is_imported_is_one_line_and_130(how: str, tmp_path: Path) -> None:
    done = start(how, tmp_path)
    assert (done.returncode, done.stderr) == (130, "flowzoo: interrupted.\n")


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_job_that_ignores_ctrl_c_goes_on(tmp_path: Path) -> None:
    done = start("module", tmp_path, signal.SIG_IGN)
    assert "an interrupt that is lost" in done.stderr


def test_the_command_begins_where_this_is_tested() -> None:
    assert 'flowzoo = "zoo.__main__:main"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
