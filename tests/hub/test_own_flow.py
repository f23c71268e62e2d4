"""A user's own flow, from a published parent to another user's machine, by the commands alone."""

import yaml

from tests.folders import read_config, save_folder
from tests.test_flow import tiny
from tests.training.runs import OVERRIDES, recipe
from zoo.folder.model_folder import FIGURES

# One after another in one process, which imports Lightning once.
COMMANDS = """
import sys, zoo.cli
for command in {}:
    sys.argv = ["flowzoo", *command]
    try: zoo.cli.main()
    except SystemExit as end: assert not end.code, command
"""


def test_a_fine_tuned_flow_is_exported_pushed_and_loaded(machine, hub, elsewhere) -> None:
    parent_sha256 = save_folder(
        tiny(**{**OVERRIDES, "size": (8, 8)}),
        machine.folder / "parent",
        {"name": "parent", "dataset": "digits"},
    )
    parent = f"hf-hub:bob/parent@{hub.publish_folder('bob/parent', machine.folder / 'parent')}"
    document = recipe(machine.folder / "run", trainer={"max_steps": 4})
    (machine.folder / "recipe.yaml").write_text(yaml.safe_dump(document))
    commands = [
        ("train", "--config", "recipe.yaml", "--init_from", parent),
        ("export", "run/checkpoints/last.ckpt", "--name", "tuned", "-o", "models"),
        ("card", "local-dir:models/tuned", "--license", "mit"),
        ("push", "local-dir:models/tuned", "--repo-id", "alice/tuned"),
    ]
    outcome = machine.run(COMMANDS.format(commands), HF_TOKEN="hf_alice")
    assert outcome.error == "", outcome.output

    config, repo = read_config(machine.folder / "models" / "tuned"), hub.repos["alice/tuned"]
    files = repo.commits[repo.refs["heads/main"]]
    assert config["sha256"] != parent_sha256
    assert elsewhere.load("hf-hub:alice/tuned").value == config["sha256"]
    assert {"recipe.yaml", "golden.safetensors", FIGURES[0]} <= set(files)
    card = hub.objects[files["README.md"].oid].decode()
    assert f"Fine-tuned from `{parent}`, whose weights have sha256 `{parent_sha256}`." in card
    assert "license: mit" in card
    assert "digits" in card
    assert 'zoo.load("hf-hub:alice/tuned")' in card
