"""Files of the Hub or of its cache that are not what they claim to be."""

import pickle
import re
from pathlib import Path

import pytest
import torch

from tests.folders import save_folder
from tests.hub.conftest import BY_CHOICE, FILES, PATHS, SHA256
from tests.test_flow import tiny
from tests.test_weights import FIRST, HUGE, edit_config, flip_byte, tamper, truncate


def swap(folder: Path) -> None:
    """Weights of another model of the same architecture."""
    config = (folder / "config.json").read_bytes()
    save_folder(tiny(seed=1), folder)
    (folder / "config.json").write_bytes(config)


ENORMOUS = {**tiny().config.to_dict(), "hidden_channels": 2**20}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").write_text("[" * 100_000), "cannot be read"),
        (lambda f: (f / "config.json").write_text("9" * 100_000), "cannot be read"),
        (lambda f: (f / "config.json").write_bytes(b"\xff"), "cannot be read"),
        (lambda f: edit_config(f, schema_version=2), "schema_version is 2.* Update the clone"),
        (lambda f: edit_config(f, architecture="fink"), "no architecture 'fink'"),
        (lambda f: edit_config(f, flow=ENORMOUS), "this flow would need gigabytes"),
    ],
)
def test_bad_configs_are_refused_before_the_weights(machine, hub, folder, damage, message) -> None:
    damage(folder)
    hub.publish_folder("alice/flow", folder)
    outcome = machine.load("hf-hub:alice/flow")
    assert outcome.error == "ConfigError"
    assert re.search(message, outcome.message)
    assert "\n" not in outcome.message
    assert machine.left() == set()
    assert hub.downloads == ["HEAD config.json", "GET config.json"]


@pytest.mark.parametrize("environment", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize(
    ("damage", "error", "message"),
    [
        (lambda f: truncate(f / FILES[1]), "DamagedError", "is damaged"),
        (lambda f: flip_byte(f / FILES[1]), "DamagedError", "announced is"),
        (lambda f: (f / FILES[1]).write_bytes(b""), "DamagedError", "is damaged"),
        (swap, "DamagedError", "announced is"),
        (lambda f: edit_config(f, flow=HUGE), "WeightsError", "numbers, the flow that config.json"),
        (lambda f: tamper(f, lambda t: t.pop(FIRST)), "WeightsError", "lacks 1 tensors"),
        (
            lambda f: tamper(f, lambda t: t.update(extra=torch.ones(1))),
            "WeightsError",
            "has unexpected 1 tensors, such as extra",
        ),
        (
            lambda f: tamper(f, lambda t: t.update({FIRST: t[FIRST][:1].clone()})),
            "WeightsError",
            FIRST,
        ),
        (
            lambda f: tamper(f, lambda t: t.update({FIRST: t[FIRST].half()})),
            "WeightsError",
            "float16",
        ),
    ],
    ids=[
        "truncated",
        "flipped",
        "empty",
        "swapped",
        "huge",
        "missing",
        "extra",
        "mis-shaped",
        "mis-typed",
    ],
)
def test_bad_weights_are_refused(
    machine, hub, folder, elsewhere, environment, damage, error, message
) -> None:
    damage(folder)
    elsewhere.commit(folder, **environment)
    outcome = machine.load("hf-hub:alice/flow", **environment)
    assert outcome.error == error
    assert message in outcome.message
    assert "\n" not in outcome.message
    assert machine.left() == set()


@pytest.mark.parametrize("environment", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("damage", [flip_byte, truncate])
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_cache_heals(machine, hub, folder, elsewhere, environment, damage, file) -> None:
    """Also where another commit shares the damaged file."""
    commits = [elsewhere.commit(folder, **environment)]
    (folder / "README.md").write_text("# another commit")
    commits.append(elsewhere.commit(folder, **environment))
    for commit in commits:
        assert machine.load(f"hf-hub:alice/flow@{commit}", **environment).value == SHA256
    assert ("HF_HUB_DISABLE_XET" in environment) != (machine.cache / "blobs").exists()
    source = f"hf-hub:alice/flow@{commits[0]}"
    (cached,) = machine.cache.glob(f"*/snapshots/{commits[0]}/{file}")
    damage(cached.resolve())
    assert machine.left() > set(FILES)
    outcome = machine.load(source, **environment)
    assert outcome.error in ("DamagedError", "ConfigError")
    assert "Get the file" in outcome.message
    assert "\n" not in outcome.message
    assert machine.left() <= set(FILES)
    for commit in commits:
        assert machine.load(f"hf-hub:alice/flow@{commit}", **environment).value == SHA256
    assert machine.left() == set(FILES)


@pytest.mark.parametrize(("options", "environment"), BY_CHOICE.values(), ids=BY_CHOICE)
def test_what_cannot_be_had_again_is_kept(machine, hub, folder, options, environment) -> None:
    edit_config(folder, schema_version=2)
    for file in FILES:
        path = machine.cache / "models--alice--flow" / "snapshots" / ("0" * 40) / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / file).read_bytes())
    outcome = machine.load(f"hf-hub:alice/flow@{'0' * 40}", options, **environment)
    assert outcome.error == "ConfigError"
    assert machine.left() == set(FILES)


def test_a_pickle_is_never_opened(machine, hub, folder) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:
            return Path.touch, (machine.folder / "exploded",)

    config, bomb = (folder / "config.json").read_bytes(), pickle.dumps(Bomb())
    hub.publish("alice/flow", {"config.json": config, "pytorch_model.bin": bomb})
    outcome = machine.load("hf-hub:alice/flow")
    assert outcome.error == "HubError"
    assert "has no model.safetensors" in outcome.message
    assert "\n" not in outcome.message
    assert machine.left() == {"config.json"}
    hub.publish("alice/flow", {"config.json": config, "model.safetensors": bomb})
    outcome = machine.load("hf-hub:alice/flow")
    assert outcome.error == "DamagedError"
    assert "model.safetensors is damaged" in outcome.message
    assert "\n" not in outcome.message
    assert machine.left() == set()
