"""The user is told which answer the Hub gave, without passwords and without long waits."""

import time

import pytest

from tests.folders import validate
from tests.hub.server import RefusedError
from tests.hub.test_pull import refused
from tests.test_registry import folder_of
from zoo.errors import ArgumentError
from zoo.publish.upload import upload

ANSWERS = {
    403: "wants a token",
    404: "has no such page",
    405: "allows no such request",
    418: "refuses",
    429: "has had too many requests",
    500: "is out of order",
    503: "is out of order",
}


def order(hub, status: int, headers: dict[str, str] | None = None) -> None:
    def fail() -> None:
        error = RefusedError(status, "no")
        error.headers = headers or {}
        raise error

    hub.before["resolve"] = fail


@pytest.mark.parametrize("status", ANSWERS)
def test_every_answer_has_its_own_words(machine, hub, folder, status: int) -> None:
    hub.publish_folder("alice/flow", folder)
    order(hub, status)
    message = refused(machine, "hf-hub:alice/flow")
    assert ANSWERS[status] in message
    assert f"(HTTP {status})" in message


def test_a_page_to_log_in_to_the_network_is_told_from_the_hub(machine, hub, monkeypatch) -> None:
    from tests.hub.server import Handler

    def page(self, *_: str) -> None:
        self.send(b"<html>welcome to the hotel</html>")

    monkeypatch.setattr(Handler, "resolve", page)
    message = refused(machine, "hf-hub:alice/flow")
    assert "does not answer config.json of alice/flow@main as a Hub" in message


def test_a_password_of_the_endpoint_is_not_printed(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    for host in (machine.endpoint, "http://127.0.0.1:1"):
        order(hub, 500)
        endpoint = host.replace("//", "//user:secret@")
        message = refused(machine, "hf-hub:alice/flow", HF_ENDPOINT=endpoint)
        assert "secret" not in message


def test_a_long_wait_is_said_and_not_waited_for(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    order(hub, 429, {"Retry-After": "100000"})
    start = time.monotonic()
    assert "asks to wait 100000 seconds" in refused(machine, "hf-hub:alice/flow")
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("tag", ["", "a b", "../x", "v1..2", "x.lock", "-x", "é", "v1.", "a\nb"])
def test_what_can_be_no_tag_is_refused_before_anything_is_asked(tag: str) -> None:
    with pytest.raises(ArgumentError, match="can be no tag"):
        upload({}, [], "alice/flow", tag=tag)


def test_a_link_out_of_the_folder_is_not_published(tmp_path) -> None:
    import shutil

    copy = tmp_path / "finc_mnist"
    shutil.copytree(folder_of("finc_mnist"), copy)
    (tmp_path / "secret").write_text("secret")
    (copy / "notes.md").symlink_to(tmp_path / "secret")
    with pytest.raises(ArgumentError, match="notes.md is a link"):
        validate(copy)
