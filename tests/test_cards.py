import json
from pathlib import Path

import pytest

import zoo
from zoo.cards import render_card, with_models_table
from zoo.registry import folder_of

REPOSITORY = Path(__file__).parents[1]
PRETRAINED = zoo.list_models(pretrained=True)


@pytest.mark.parametrize("name", PRETRAINED)
def test_no_card_is_stale(name: str) -> None:
    folder = folder_of(name)
    assert (folder / "README.md").read_text() == render_card(folder)


@pytest.mark.parametrize("name", PRETRAINED)
def test_cards_show_what_was_measured(name: str) -> None:
    folder = folder_of(name)
    evaluation = json.loads((folder / "eval.json").read_text())
    card = render_card(folder)
    assert f"{evaluation['bits_per_dim']:.4f}" in card
    assert evaluation["sha256"] in card


def test_the_readme_s_table_is_generated() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    assert readme == with_models_table(readme)


def test_the_recipe_of_a_card_is_in_the_recipes() -> None:
    recipes = {path.read_text() for path in (REPOSITORY / "recipes").rglob("*.yaml")}
    for name in PRETRAINED:
        assert (folder_of(name) / "recipe.yaml").read_text() in recipes
