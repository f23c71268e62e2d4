import json
import subprocess
import sys

import pytest

# All are slow to import; torch's compiler doubles the time until a command starts.
HEAVY = (
    "lightning",
    "torchvision",
    "torchmetrics",
    "jsonargparse",
    "matplotlib",
    "sklearn",
    "torch._dynamo",
)
SCRIPT = """
import json, sys
import zoo.latents
zoo.load("finc_mnist", pretrained=False)
loaded = sorted(sys.modules)
import zoo.cli
command = sorted(sys.modules)
import zoo.cards, zoo.data, zoo.evaluation.evaluate, zoo.publish
measuring = sorted(sys.modules)
shape = list(zoo.load("finc_mnist").sample(1).shape)
print(json.dumps({"loaded": loaded, "command": command, "measuring": measuring, "shape": shape}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, list]:
    """Findings of a new interpreter, in a directory that is not the repository's."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def test_importing_and_loading_needs_no_training_package(found) -> None:
    assert [name for name in HEAVY if name in found["loaded"]] == []


def test_the_command_line_needs_no_training_package(found) -> None:
    assert [name for name in HEAVY if name in found["command"]] == []


def test_data_sets_evaluation_and_cards_need_no_training_package(found) -> None:
    assert [name for name in HEAVY if name in found["measuring"]] == []


def test_the_package_finds_its_weights_from_any_directory(found) -> None:
    assert found["shape"] == [1, 1, 28, 28]
