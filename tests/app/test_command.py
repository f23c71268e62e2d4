"""`flowzoo app`: where it listens, and what it shows."""

import pytest
import torch

import zoo.app
from zoo.cli.common import DEFAULT_MODEL
from zoo.latents import directions
from zoo.sources import list_models, load


@pytest.fixture
def asked(monkeypatch) -> list:
    calls = []
    monkeypatch.setattr(zoo.app, "serve", lambda models, **options: calls.append((models, options)))
    return calls


def test_it_shows_all_pretrained_flows_on_the_loopback(run, asked) -> None:
    assert run("app")[0] == 0
    ((models, options),) = asked
    assert models[0] == DEFAULT_MODEL
    assert sorted(models) == sorted(list_models(pretrained=True))
    assert (options["host"], options["port"], options["browser"]) == ("127.0.0.1", None, True)


def test_directions_choose_their_flow_and_no_other(run, asked, tmp_path) -> None:
    flow = load("finc_mnist")
    path = tmp_path / "directions.safetensors"
    directions(torch.randn(8, 784), [0, 1] * 4, method="paper", flow=flow).save(path)
    assert run("app", "--directions", path, "--host", "0.0.0.0", "--no-browser")[0] == 0
    ((models, options),) = asked
    assert models == ["finc_mnist"]
    assert list(options["directions"]) == ["0", "1"]
    assert (options["host"], options["browser"]) == ("0.0.0.0", False)
    code, _, errors = run("app", "--directions", path, "-m", "finc_mnist", "-m", "conf_mnist")
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "of one flow" in errors


def test_directions_of_another_flow_are_refused_before_anything_is_served(run, tmp_path) -> None:
    path = tmp_path / "directions.safetensors"
    directions(torch.randn(8, 784), [0, 1] * 4, method="paper", flow=load("finc_mnist")).save(path)
    code, _, errors = run("app", "--directions", path, "-m", "conf_mnist")
    assert code == 2
    assert "these directions are of the flow" in errors
