"""The Space of the page, pushed with the real client to a server on this machine."""

import pytest
from huggingface_hub import RepoCard

import zoo
from tests.hub.test_push import LFS, head
from zoo.publish.space import FILES, requirement
from zoo.sources.names import PACKAGE

SPACE = PACKAGE.parent / "space"


def push(machine, owner: str = "alice"):
    return machine.command("push-space", "--owner", owner, **LFS)


def test_a_space_is_pushed_with_the_models_of_its_owner(machine, hub) -> None:
    outcome = push(machine)
    assert outcome.message == "0", outcome.output
    files = hub.repos["alice/flowzoo"].commits[head(hub, "alice/flowzoo")]
    assert set(files) == {".gitattributes", *FILES}
    text = {name: hub.objects[files[name].oid].decode() for name in FILES}
    about = RepoCard(text["README.md"]).data
    assert about.models == [f"alice/{name}" for name in zoo.list_models(pretrained=True)]
    assert (about.sdk, about.app_file) == ("gradio", "app.py")
    assert text["app.py"] == (SPACE / "app.py").read_text()
    asked = [request.path for request in hub.requests]
    assert "/api/spaces/alice/flowzoo/commit/main" in asked
    assert not any("/api/models/" in path for path in asked)


def test_pushing_the_same_space_again_makes_no_commit(machine, hub) -> None:
    assert [push(machine).message for _ in range(2)] == ["0", "0"]
    assert len(hub.repos["alice/flowzoo"].commits) == 2  # the first is the Hub's


@pytest.mark.parametrize("owner", ["bob", "no owner"])
def test_a_space_of_another_account_is_refused_in_one_line(machine, hub, owner) -> None:
    outcome = push(machine, owner)
    assert outcome.message == "2"
    assert outcome.output.splitlines()[-1].startswith("flowzoo: ")
    assert not hub.repos


def test_the_space_s_files_are_of_this_version() -> None:
    assert (SPACE / "requirements.txt").read_text() == requirement()
    about = RepoCard((SPACE / "README.md").read_text()).data
    assert (
        f"gradio>={about.sdk_version.rsplit('.', 1)[0]}"
        in (SPACE.parent / "pyproject.toml").read_text()
    )
    compile((SPACE / "app.py").read_text(), "app.py", "exec")
