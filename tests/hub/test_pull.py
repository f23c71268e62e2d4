"""Loading from the Hub, with the real client against a server on this machine."""

import re
import shutil

import pytest
from PIL import Image

from tests.hub.conftest import BY_CHOICE, FILES, PATHS, SHA256, Machine
from tests.test_weights import edit_config
from zoo.latents import LatentFile

OFFLINE = {**BY_CHOICE, "unreachable": ("", {"HF_ENDPOINT": "http://127.0.0.1:1"})}


def test_the_weights_come_after_the_config_and_once(machine, hub, folder) -> None:
    commit = hub.publish_folder("alice/flow", folder)
    source = f"hf-hub:alice/flow@{commit}"
    assert machine.load(source).value == SHA256
    assert hub.downloads == [f"{method} {file}" for file in FILES for method in ("HEAD", "GET")]
    assert machine.left() == set(FILES)
    # A pinned commit that is cached makes no request.
    hub.requests.clear()
    assert machine.load(source).value == SHA256
    assert hub.requests == []


def test_a_branch_and_a_tag_follow_the_repository(machine, hub, folder) -> None:
    first = hub.publish_folder("alice/flow", folder)
    hub.repos["alice/flow"].refs["tags/v1"] = first
    assert machine.load("hf-hub:alice/flow").value == SHA256
    edit_config(folder, dataset="mnist")
    hub.publish_folder("alice/flow", folder)
    for revision, dataset in (("main", "mnist"), ("v1", "digits")):
        outcome = machine.run(
            "from zoo.sources import parse\n"
            f"value = parse('hf-hub:alice/flow@{revision}').folder().config['dataset']"
        )
        assert outcome.value == dataset


def test_options_of_load(machine, hub, folder, tmp_path) -> None:
    hub.publish_folder("alice/secret", folder, private=True)
    options = f"cache_dir={str(tmp_path / 'elsewhere')!r}, token='hf_alice'"
    assert machine.load("hf-hub:alice/secret", options).value == SHA256
    assert machine.left() == set()
    assert "hf_alice" not in machine.load("hf-hub:alice/secret", options).output
    offline = machine.load("hf-hub:alice/secret", f"{options}, local_files_only=True")
    assert offline.value == SHA256


def test_the_command_pulls_and_prints_the_commit(machine, hub, folder) -> None:
    commit = hub.publish_folder("alice/flow", folder)
    outcome = machine.command("pull", "hf-hub:alice/flow")
    assert outcome.message == "0", outcome.output
    assert outcome.output.splitlines()[-2:] == [
        f"weights sha256: {SHA256}",
        f'zoo.load("hf-hub:alice/flow@{commit}")',
    ]
    outcome = machine.command("pull", "hf-hub:alice/none")
    assert outcome.message == "2"
    (line,) = (line for line in outcome.output.splitlines() if line.startswith("flowzoo: "))
    assert "has no alice/none, or keeps it private" in line


@pytest.mark.parametrize("environment", PATHS.values(), ids=PATHS)
def test_pulling_shows_a_progress_bar(machine, hub, folder, elsewhere, environment) -> None:
    elsewhere.commit(folder, **environment)
    # As on a terminal: the client's word for that.
    terminal = {**environment, "TQDM_POSITION": "-1"}
    outcome = machine.command("pull", "hf-hub:alice/flow", **terminal)
    assert re.search(r"model\.safetensors:.* 100%", outcome.output), outcome.output
    quiet = elsewhere.command(
        "pull", "hf-hub:alice/flow", HF_HUB_DISABLE_PROGRESS_BARS="1", **terminal
    )
    assert quiet.message == "0"
    assert "%" not in quiet.output


def test_the_command_pulls_into_another_cache(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    pull = ("pull", "hf-hub:alice/flow", "--cache-dir", "elsewhere")
    none = machine.command(*pull, "--local-files-only")
    assert none.message == "2"
    assert "config.json of alice/flow@main is not in the cache" in none.output
    assert hub.requests == []
    assert machine.command(*pull).message == "0"
    assert not machine.cache.exists()
    hub.requests.clear()
    again = machine.command(*pull, "--local-files-only")
    assert again.message == "0"
    assert f"weights sha256: {SHA256}" in again.output
    assert hub.requests == []


def test_latents_remember_the_commit(machine, hub, folder) -> None:
    commit = hub.publish_folder("alice/flow", folder)
    Image.new("L", (12, 8)).save(machine.folder / "a.png")
    encode = ("encode", "a.png", "-o", "z.safetensors", "-m", "hf-hub:alice/flow")
    assert machine.command(*encode).message == "0"
    latents = LatentFile.load(machine.folder / "z.safetensors")
    assert latents.model == f"hf-hub:alice/flow@{commit}"


@pytest.mark.parametrize("command", [("evaluate", "--data-dir", "data"), ("card",)])
def test_nothing_is_written_into_the_cache(run, command) -> None:
    code, _, error = run(*command, "hf-hub:alice/flow")
    assert code == 2
    assert "the files of hf-hub:alice/flow@main are a cache. Fetch your own, hf download" in error


def test_offline_with_a_cache(machine, hub, folder) -> None:
    commit = hub.publish_folder("alice/flow", folder)
    machine.load("hf-hub:alice/flow")
    hub.requests.clear()
    sources = [f"hf-hub:alice/flow@{revision}" for revision in ("main", commit)]
    for options, environment in OFFLINE.values():
        outcome = machine.run(
            f"import zoo\nvalue = [zoo.load(s, {options}).origin['sha256'] for s in {sources}]",
            **environment,
        )
        assert outcome.value == [SHA256] * 2
    assert hub.requests == []


# What is not to be had.


def refused(machine: Machine, source: str, options: str = "", **environment: str) -> str:
    """The message of a HubError, and nothing is left."""
    outcome = machine.load(source, options, **environment)
    assert outcome.error == "HubError", outcome.output
    assert "\n" not in outcome.message
    assert machine.left() == set()
    return outcome.message


@pytest.mark.parametrize(("options", "environment"), OFFLINE.values(), ids=OFFLINE)
def test_offline_without_a_cache(machine, hub, folder, options, environment) -> None:
    hub.publish_folder("alice/flow", folder)
    message = refused(machine, "hf-hub:alice/flow", options, **environment)
    assert message.startswith("config.json of alice/flow@main is not in the cache, and http")
    assert "Connect, without local_files_only and HF_HUB_OFFLINE" in message
    assert hub.requests == []


@pytest.mark.parametrize(
    ("source", "environment", "message"),
    [
        ("alice/none", {}, "has no alice/none, or keeps it private. With a token that may:"),
        ("alice/secret", {}, "has no alice/secret, or keeps it private"),
        ("alice/secret", {"HF_TOKEN": "hf_bob"}, "has no alice/secret, or keeps it private"),
        ("alice/gated", {"HF_TOKEN": "hf_bob"}, "alice/gated is gated. Ask for access at http"),
        ("alice/flow", {"HF_TOKEN": "hf_mallory"}, r"refuses the token for alice/flow \(HTTP 401"),
        ("alice/flow@v9", {}, "alice/flow has no revision v9. Its tags and branches are at"),
        (f"alice/flow@{'0' * 40}", {}, "has no revision 0000"),
        ("alice/empty", {}, "alice/empty@main has no config.json: it is not a model's folder"),
    ],
)
def test_what_the_hub_does_not_give(machine, hub, folder, source, environment, message) -> None:
    hub.publish_folder("alice/flow", folder)
    hub.publish_folder("alice/secret", folder, private=True)
    hub.publish_folder("alice/gated", folder)
    hub.repos["alice/gated"].gated = True
    hub.publish("alice/empty", {"README.md": b"# nothing"})
    found = refused(machine, f"hf-hub:{source}", **environment)
    assert re.search(message, found)


NO_SOURCES = (
    *("", "flow", "a/b/c", " a/b", "a/b\n", "-a/b", "a--b/c", "a./b", "a/b.git", "é/b"),
    *("../../etc@main", "a/b@../../evil", "a/b@/tmp/evil", "a/b@", "a/b@v 1", f"a/{'b' * 100}"),
)


def test_sources_that_name_no_repository(machine, hub) -> None:
    outcome = machine.run(
        f"import zoo\nvalue = {{}}\nfor source in {NO_SOURCES}:\n"
        "    try: zoo.load('hf-hub:' + source)\n"
        "    except Exception as error: value[source] = (type(error).__name__, str(error))"
    )
    hint = "Write hf-hub:OWNER/REPO@REVISION."
    for source in NO_SOURCES:
        message = f"{'hf-hub:' + source!r} names no repository of the Hub. {hint}"
        assert outcome.value[source] == ["UnknownModelError", message]
        assert "\n" not in message
    assert machine.left() == set()
    assert hub.requests == []


def test_names_from_the_hub_cannot_leave_the_cache(machine, hub, folder) -> None:
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.publish("alice/flow", {**files, "../../../../evil": b"", "/tmp/evil": b""})
    assert machine.load("hf-hub:alice/flow").value == SHA256
    assert machine.left() == set(FILES)


def test_a_commit_from_the_hub_cannot_leave_the_cache(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    hub.commit_header = "../../../../../evil"
    assert "Invalid pointer path" in refused(machine, "hf-hub:alice/flow")


def test_content_without_a_commit_is_noticed(machine, hub, folder, elsewhere) -> None:
    """By `Machine.left`, which says for every test that nothing was left behind."""
    elsewhere.commit(folder)
    machine.load("hf-hub:alice/flow")
    for link in machine.cache.glob("*/snapshots/*/*"):
        link.unlink()
    blobs = {str(path.relative_to(machine.folder)) for path in machine.cache.glob("*/blobs/*")}
    assert len(blobs) == 2
    assert machine.left() > blobs


# Downloads that go wrong, and several at once.


def test_a_download_that_breaks_off_goes_on(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    hub.cuts = 2
    assert machine.load("hf-hub:alice/flow").value == SHA256
    assert hub.downloads.count("GET model.safetensors") == 3
    assert machine.left() == set(FILES)


def test_a_download_goes_on_where_it_broke_off(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    hub.cuts = 1
    machine.run(
        "import zoo; from huggingface_hub import constants; constants.DOWNLOAD_CHUNK_SIZE = 64\n"
        "zoo.load('hf-hub:alice/flow')"
    )
    assert machine.load("hf-hub:alice/flow", HF_HUB_OFFLINE="1").value == SHA256
    ranges = [request.range for request in hub.requests if request.range]
    assert len(ranges) == 1
    assert int(re.fullmatch(r"bytes=(\d+)-", ranges[0])[1]) > 0


def test_a_download_that_never_ends_leaves_nothing(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    hub.cuts = 99
    outcome = machine.load("hf-hub:alice/flow")
    assert outcome.error == "HubError"
    assert "model.safetensors of alice/flow@" in outcome.message
    assert "did not come through (RemoteProtocolError" in outcome.message
    assert "\n" not in outcome.message
    assert machine.left() == {"config.json"}
    hub.cuts = 0
    assert machine.load("hf-hub:alice/flow").value == SHA256


def test_content_that_xet_lost_leaves_nothing(machine, hub, folder, elsewhere) -> None:
    elsewhere.commit(folder)
    store = hub.cas("alice/flow")
    store.rename(store.with_name("away"))
    outcome = machine.load("hf-hub:alice/flow")
    assert outcome.error == "HubError"
    assert "model.safetensors of alice/flow@" in outcome.message
    assert "\n" not in outcome.message
    assert machine.left() == {"config.json"}
    shutil.rmtree(store, ignore_errors=True)
    store.with_name("away").rename(store)
    assert machine.load("hf-hub:alice/flow").value == SHA256
    assert machine.left() == set(FILES)


def test_a_full_disk_leaves_nothing(machine, hub, folder) -> None:
    hub.publish_folder("alice/flow", folder)
    half = (folder / "model.safetensors").stat().st_size // 2
    outcome = machine.run(
        f"import resource, zoo; resource.setrlimit(resource.RLIMIT_FSIZE, ({half}, {half}))\n"
        "zoo.load('hf-hub:alice/flow')"
    )
    assert outcome.error == "HubError"
    assert "model.safetensors of alice/flow@" in outcome.message
    assert "File too large" in outcome.message
    assert "\n" not in outcome.message
    assert machine.left() == {"config.json"}


READ_ONLY = """
import errno, os, sys
def refuse(event, arguments):
    writes = event in ("os.mkdir", "os.rename", "os.symlink", "os.remove")
    if event == "open":
        writes = arguments[2] & (os.O_WRONLY | os.O_RDWR)
    paths = [str(path) for path in arguments if isinstance(path, str)]
    if writes and any("/home/hub" in path for path in paths):
        raise OSError(errno.EROFS, "Read-only file system", paths[0])
sys.addaudithook(refuse)
"""


def test_a_read_only_cache(machine, hub, folder) -> None:
    commit = hub.publish_folder("alice/flow", folder)
    load = READ_ONLY + "import zoo; zoo.load('hf-hub:alice/flow@{}')"
    outcome = machine.run(load.format(commit))
    assert outcome.error == "HubError"
    assert "Read-only file system" in outcome.message
    assert outcome.message.endswith("Mend that and try again.")
    assert "\n" not in outcome.message
    assert machine.left() == set()
    machine.load("hf-hub:alice/flow")
    for revision in ("main", commit):
        assert machine.run(load.format(revision)).error == ""


LOAD = "import zoo\ndef load(_): return zoo.load('hf-hub:alice/flow').origin['sha256']\n"
TOGETHER = {
    "threads": "from multiprocessing.pool import ThreadPool; value = ThreadPool(2).map(load, 'ab')",
    "processes": """
import os
ours, theirs = os.pipe()
if os.fork() == 0:
    os.write(theirs, load(0).encode())
    os._exit(0)
os.close(theirs)
value = [load(1), os.fdopen(ours).read()]
""",
}


@pytest.mark.parametrize("code", TOGETHER.values(), ids=TOGETHER)
def test_two_at_once(machine, hub, folder, code) -> None:
    hub.publish_folder("alice/flow", folder)
    assert machine.run(LOAD + code).value == [SHA256] * 2
    assert machine.left() == set(FILES)
