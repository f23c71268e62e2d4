"""Downloads from the Hub are bounded in time and in size."""

import json
import time

import pytest

from tests.folders import save_folder
from tests.hub.server import Handler
from tests.test_flow import tiny
from zoo.architectures import ARCHITECTURES
from zoo.folder.weights import most_bytes

# Bounds that a test can wait for.
IMPATIENT = "import zoo.sources.patience as p; p.PATIENCE_S = 0.2; p.SLOWEST = 10**9\n"
LOAD = "import zoo; zoo.load('hf-hub:alice/flow')"


def test_a_body_that_trickles_is_given_up(machine, hub, folder, monkeypatch) -> None:
    hub.publish_folder("alice/flow", folder)
    send = Handler.send

    def trickle(self, content, status=200, headers=None) -> None:
        if self.command == "HEAD" or not isinstance(content, bytes):
            return send(self, content, status, headers)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        for byte in content:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    monkeypatch.setattr(Handler, "send", trickle)
    start = time.monotonic()
    outcome = machine.run(IMPATIENT + LOAD)
    assert outcome.error == "HubError", outcome.output
    assert "sends config.json of alice/flow@main at fewer than" in outcome.message
    assert time.monotonic() - start < 30
    assert machine.left() == set()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_file_of_absurd_size_is_not_fetched(machine, hub, folder, file: str) -> None:
    (folder / file).write_bytes(b"x" * 2**23)
    hub.publish_folder("alice/flow", folder)
    outcome = machine.load("hf-hub:alice/flow")
    assert outcome.error == "ConfigError"
    assert f"{file} of alice/flow@" in outcome.message
    assert f"GET {file}" not in hub.downloads
    assert machine.left() == {"config.json"} - {file}


def test_a_size_that_is_a_lie_is_noticed_on_the_way(machine, hub, folder, monkeypatch) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"name": "x" * 2**23}
    (folder / "config.json").write_text(json.dumps(config))
    hub.publish_folder("alice/flow", folder)
    send = Handler.send

    def lie(self, content, status=200, headers=None) -> None:
        if self.command == "HEAD":
            headers = {**(headers or {}), "Content-Length": "1000"}
            return send(self, content, status, headers)
        self.send_response(status)
        for name, value in {**(headers or {}), "Transfer-Encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(content), 2**16):
            part = content[start : start + 2**16]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    monkeypatch.setattr(Handler, "send", lie)
    outcome = machine.load("hf-hub:alice/flow")
    assert outcome.error == "ConfigError", outcome.output
    assert "more than 1,048,576 bytes" in outcome.message
    assert machine.left() == set()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_weights_of_every_flow_are_within_the_bound(architecture: str, tmp_path) -> None:
    flow = tiny(architecture)
    save_folder(flow, tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < most_bytes(flow.config)
