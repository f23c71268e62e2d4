"""Runs user code, each time in a new process with its own environment.

The Hub's client reads its environment when it is imported. So one interpreter imports torch, zoo
and what the client needs, which takes seconds, and is forked for each run, where the client is
imported anew.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run.

    Attributes:
        value: Value that the code left in the variable `value`, through JSON.
        error: Name of the exception that it raised.
        message: Message of that exception; the exit code of a command that ends.
        output: Everything it printed.
    """

    value: Any
    error: str
    message: str
    output: str


class Client:
    """The interpreter that is forked."""

    def __init__(self) -> None:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HF_") and not name.lower().endswith("_proxy")
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hub.client"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, code: str, folder: Path, **environment: str) -> Outcome:
        """Run code in a folder, with further environment variables."""
        request = {"code": code, "folder": str(folder), "environment": environment}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Outcome(**json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _run(request: dict[str, Any]) -> dict[str, Any]:
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    # The client waits between attempts; that is not what the tests are about.
    sleep = time.sleep
    time.sleep = lambda _: sleep(0.01)
    scope: dict[str, Any] = {}
    outcome = {"value": None, "error": "", "message": ""}
    try:
        exec(request["code"], scope)
        outcome["value"] = scope.get("value")
    except SystemExit as end:
        outcome["message"] = str(end.code or 0)
    except BaseException as error:
        traceback.print_exc()
        outcome.update(error=type(error).__name__, message=str(error))
    return outcome


def _fork(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as result:
        if (process := os.fork()) == 0:
            with contextlib.suppress(BaseException):
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                json.dump(_run(request), result)
                for stream in (sys.stdout, sys.stderr, result):
                    stream.flush()
            os._exit(0)
        os.waitpid(process, 0)
        for file in (output, result):
            file.seek(0)
        return {**json.load(result), "output": output.read()}


def _import_what_the_client_needs() -> None:
    """Import the Hub's client, and forget it and all else that reads the environment."""
    from huggingface_hub import HfApi, ModelCard, snapshot_download  # noqa: F401

    for name in list(sys.modules):
        if name.partition(".")[0] in ("huggingface_hub", "tqdm"):
            del sys.modules[name]


def main() -> None:
    import torch

    import zoo.cli
    import zoo.sources.hub  # noqa: F401

    _import_what_the_client_needs()
    assert "huggingface_hub" not in sys.modules
    torch.set_num_threads(1)
    for line in sys.stdin:
        print(json.dumps(_fork(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
