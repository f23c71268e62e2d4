import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

import zoo
from tests.folders import folder_of, read_golden, read_subject, render_card, write_card
from tests.test_flow import tiny
from zoo.architectures import ARCHITECTURES
from zoo.cards import figures
from zoo.cards.facts import GITHUB
from zoo.cards.figure_files import read_stamp
from zoo.cards.markdown import percent
from zoo.cards.origin import split_header
from zoo.cards.overview import CLONE, PAGES, render_page
from zoo.cards.results import JPEG_XL
from zoo.data import facts_of, list_datasets
from zoo.errors import ArgumentError, ConfigError, WeightsError
from zoo.files import write_json
from zoo.flow.levels import levels_of
from zoo.folder.model_folder import FIGURES
from zoo.sources import MODELS

PRETRAINED = zoo.list_models(pretrained=True)
every_model = pytest.mark.parametrize("name", PRETRAINED)


def read_card(name: str) -> str:
    return (folder_of(name) / "README.md").read_text()


def read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a model's folder."""
    return Path(shutil.copytree(folder_of("finc_mnist"), tmp_path / "finc_mnist"))


def change(path: Path, **entries: object) -> None:
    write_json(path, {**read_json(path), **entries})


# Nothing on a card is stale or invented.


@every_model
def test_no_card_is_stale(name: str) -> None:
    assert read_card(name) == render_card(folder_of(name))


@every_model
def test_every_measured_number_is_in_eval_json(name: str) -> None:
    evaluation, card = read_json(folder_of(name) / "eval.json"), read_card(name)
    card = card.replace(JPEG_XL, "")  # which says that it is quoted
    assert invented(card, evaluation) == []
    score = f"{evaluation['bits_per_dim']:.4f}"
    wrong = f"{evaluation['bits_per_dim'] + 1e-4:.4f}"
    assert invented(card.replace(score, wrong), evaluation) == [wrong]


def invented(card: str, evaluation: dict[str, Any]) -> list[str]:
    """Numbers in the sections of a card on what was measured that eval.json does not hold."""
    sections = re.split(r"^## ", card, flags=re.MULTILINE)
    titles = ("Evaluation", "Exactness and stability", "Limits")
    text = "".join(section for section in sections if section.startswith(titles))
    held = list(leaves(evaluation))
    for word in sorted({leaf for leaf in held if isinstance(leaf, str)}, key=len, reverse=True):
        text = text.replace(word, "")
    numbers = [leaf for leaf in held if isinstance(leaf, int | float)]
    tokens = re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?%?(?!\w)", text)
    assert len(tokens) > 20
    return [token for token in tokens if not any(is_rounded(token, x) for x in numbers)]


def leaves(document: object) -> Iterator[object]:
    if isinstance(document, dict | list):
        for value in document.values() if isinstance(document, dict) else document:
            yield from leaves(value)
    else:
        yield document


def is_rounded(token: str, number: float) -> bool:
    digits = token.replace(",", "").rstrip("%")
    decimals = len(digits.partition(".")[2])
    if token.endswith("%"):  # rounded down: only all of them are 100%
        scale = 10**decimals
        number = math.floor(round(100 * scale * number, 6)) / scale
    return digits == f"{number:.{decimals}f}"


@every_model
def test_the_recipe_s_header_tells_the_measured_result(name: str) -> None:
    score = read_json(folder_of(name) / "eval.json")["bits_per_dim"]
    header, body = split_header((folder_of(name) / "recipe.yaml").read_text())
    assert re.findall(r"([\d.]+) bits/dim", header) == [f"{score:.3f}"]
    assert "#" not in body
    assert header in read_card(name)


@every_model
def test_the_figures_are_of_these_weights(name: str) -> None:
    folder, card = folder_of(name), read_card(name)
    subject = read_subject(folder)
    # Pictures of colours do not compress as well, and those of photographs have 4 times the pixels.
    most = {"photos": 700_000, "cifar10": 600_000}.get(subject.folder.dataset, 60_000)
    for figure in FIGURES:
        assert read_stamp(folder / figure)["weights sha256"] == MODELS[name].sha256
        assert read_stamp(folder / figure) == subject.stamp
        assert (folder / figure).stat().st_size < most
        assert f"]({figure})" in card


@pytest.mark.parametrize("page", PAGES)
def test_the_rendered_parts_of_a_page_are_those_of_the_cards(page: str) -> None:
    assert (CLONE / page).read_text() == render_page(page)


def test_the_recipe_of_a_card_is_in_the_recipes() -> None:
    recipes = {path.read_text() for path in (CLONE / "recipes").rglob("*.yaml")}
    for name in PRETRAINED:
        assert (folder_of(name) / "recipe.yaml").read_text() in recipes


def test_every_architecture_and_data_set_can_be_cited() -> None:
    assert all(architecture.paper for architecture in ARCHITECTURES.values())
    assert all(facts_of(name).title != name for name in list_datasets())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_architecture_is_the_flow_s(architecture: str) -> None:
    flow = tiny(architecture, size=(8, 16), levels=3, channels=3)
    levels = levels_of(flow)
    assert [level.maps for level in levels] == [(12, 4, 8), (24, 2, 4), (48, 1, 2)]
    assert [level.latents for level in levels] == flow.level_shapes()
    assert sum(level.parameters for level in levels) == sum(p.numel() for p in flow.parameters())
    layers = sum(2 + level.steps * len(level.step) for level in levels)
    assert layers == sum(1 for _ in flow.named_bijections()) - 1, "but for the preprocessing"
    assert "".join(levels[0].step).endswith("Coupling")


# Others can read and use it.


@every_model
def test_the_hub_s_client_reads_the_front_matter(name: str) -> None:
    card = ModelCard.load(folder_of(name) / "README.md")
    evaluation = read_json(folder_of(name) / "eval.json")
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "flowzoo"
    assert card.data.pipeline_tag == "unconditional-image-generation"
    dataset = facts_of(MODELS[name].dataset)
    assert card.data.datasets == ([dataset.hub] if dataset.hub else None)
    assert card.data.model_name == name
    results = card.data.eval_results
    assert {result.metric_type: result.metric_value for result in results} == {
        metric: evaluation[metric]
        for metric in ("bits_per_dim", "accuracy", "exact_share", "finite_sample_share")
        if metric in evaluation  # only flows with classes have an accuracy
    }
    assert {(result.dataset_name, result.dataset_split) for result in results} == {
        (dataset.title, "test")
    }


def test_the_usage_lines_run(run, copy, tmp_path, monkeypatch) -> None:
    card = (copy / "README.md").read_text()
    python, hub, prepare = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    images = read_golden(copy).images[:2]
    names: dict[str, Any] = {}
    exec(python, names)
    assert names["images"].shape[1:] == images.shape[1:]
    assert f'repository = "{GITHUB}"' in hub
    local = hub.replace(GITHUB, str(CLONE)).replace("trust_repo=True", 'source="local"')
    exec(local, names)
    assert torch.equal(names["flow"].decode(names["z"]), names["images"])
    shutil.copy(copy / "samples.png", tmp_path / "image.png")
    monkeypatch.chdir(tmp_path)
    exec(prepare, names)
    assert names["images"].shape[1:] == images.shape[1:]
    for line in re.search(r"```sh\n(.*?)```", card, re.DOTALL)[1].splitlines():
        assert run(*line.split()[1:])[0] == 0


def test_only_all_of_them_are_100_percent() -> None:
    assert [percent(x) for x in (1, 0.9999, 0.29, 0)] == ["100%", "99%", "29%", "0%"]
    assert [percent(x, 2) for x in (1, 0.99996, 0.0057)] == ["100.00%", "99.99%", "0.57%"]


# A user's own model.


def test_a_fine_tuned_model_names_its_parent_and_where_it_will_be(copy: Path) -> None:
    parent = {"name": "cinc_mnist", "sha256": "d113e6"}
    change(copy / "config.json", name="my_digits", parent=parent)
    card = render_card(copy)
    assert "Fine-tuned from `cinc_mnist`, whose weights have sha256 `d113e6`." in card
    assert 'zoo.load("hf-hub:OWNER/my_digits")' in card
    assert "license:" not in card, "it is the user's to choose"
    assert "## Licence\n\nNone has been chosen" in card
    assert "65 min" not in card, "the recipe's header is of another run"
    assert "Provenance" not in read_card("finc_mnist")


def test_a_user_chooses_the_licence_of_their_own_model(run, copy: Path, monkeypatch) -> None:
    monkeypatch.setattr(figures, "draw_figures", lambda folder: {})
    change(copy / "config.json", name="my_digits")
    assert "no licence, so others may not use it" in run("card", f"local-dir:{copy}")[1]
    code, out, _ = run("card", f"local-dir:{copy}", "--license", "cc-by-4.0")
    assert code == 0
    assert "no licence" not in out
    assert ModelCard.load(copy / "README.md").data.license == "cc-by-4.0"
    assert "## Licence" not in (copy / "README.md").read_text()
    assert run("card", f"local-dir:{copy}")[0] == 0
    assert ModelCard.load(copy / "README.md").data.license == "cc-by-4.0", "it is kept"


@pytest.mark.parametrize(
    ("names", "licence", "message"),
    [
        (["my_digits"], "apache2", "knows no licence 'apache2'. Did you mean apache-2.0"),
        (["finc_mnist"], "mit", "finc_mnist is of the zoo and under apache-2.0"),
        ([], "mit", "name the models whose licence this is"),
    ],
)
def test_licences_that_cannot_be_chosen(run, copy: Path, names, licence, message) -> None:
    change(copy / "config.json", name="".join(names))
    before = (copy / "config.json").read_text()
    code, _, err = run("card", *(f"local-dir:{copy}" for _ in names), "--license", licence)
    assert code == 2
    assert message in err
    assert (copy / "config.json").read_text() == before


def test_an_unknown_licence_in_a_config_is_refused(copy: Path) -> None:
    change(copy / "config.json", name="my_digits", license="free")
    with pytest.raises(ArgumentError, match="knows no licence 'free'"):
        render_card(copy)


def test_notes_are_on_the_card(copy: Path) -> None:
    assert "## Notes" not in render_card(copy)
    (copy / "notes.md").write_text("Trained on the *train*.\n")
    assert "\n\n## Notes\n\nTrained on the *train*.\n\n## Files" in render_card(copy)


def test_figures_of_another_evaluation_are_not_shown(copy: Path) -> None:
    histogram = read_json(copy / "eval.json")["likelihood_histogram"]
    edges = [edge + 1 for edge in histogram["edges"]]
    change(copy / "eval.json", likelihood_histogram={**histogram, "edges": edges})
    card = render_card(copy)
    assert not any(f"]({figure})" in card for figure in FIGURES)


def test_a_card_says_which_share_of_the_test_split_was_measured(copy: Path) -> None:
    assert "On the test split of MNIST" in render_card(copy)
    change(copy / "eval.json", every=9)
    assert "On 1 in 9 images of the test split of MNIST" in render_card(copy)


def test_a_damaged_figure_is_not_shown(copy: Path) -> None:
    (copy / "samples.png").write_bytes(b"no picture")
    card = render_card(copy)
    assert [figure for figure in FIGURES if f"]({figure})" not in card] == ["samples.png"]


def test_a_model_without_an_evaluation_says_so(copy: Path) -> None:
    (copy / "eval.json").unlink()
    write_card(copy)
    card = ModelCard.load(copy / "README.md")
    assert card.data.eval_results is None
    assert "Not evaluated yet." in card.text


@pytest.mark.parametrize(
    ("file", "entries", "error", "message"),
    [
        (
            "eval.json",
            {"identity": "v2:0"},
            WeightsError,
            "is of other weights .* flowzoo evaluate",
        ),
        ("eval.json", {"protocol": {}}, ConfigError, "lacks what a card shows .*draws"),
        ("config.json", {"parent": "finc_mnist"}, ConfigError, "lacks what a card shows"),
        ("config.json", {"dataset": None}, ConfigError, "lacks a name or a dataset"),
        ("config.json", {"sha256": "0"}, WeightsError, "not hold the announced weights"),
    ],
)
def test_a_card_of_wrong_files_is_refused(copy, file, entries, error, message) -> None:
    change(copy / file, **entries)
    with pytest.raises(error, match=message):
        render_card(copy)


def test_a_damaged_evaluation_is_refused(copy: Path) -> None:
    (copy / "eval.json").write_text("{")
    with pytest.raises(ConfigError, match=r"eval.json cannot be read.*flowzoo evaluate"):
        render_card(copy)
