"""Model cards and the README's table, rendered from what was measured."""

import json
from pathlib import Path
from typing import Any

from zoo.files import write_atomically
from zoo.registry import MODELS, folder_of, list_models
from zoo.weights import read_config

EVALUATION = "eval.json"
CARD = "README.md"
MARKS = ("<!-- models: python -m zoo.cards -->", "<!-- /models -->")

SOURCES = {
    "glow": "Glow (Kingma & Dhariwal, 2018), arXiv:1807.03039",
    "cinc": "CInC Flow (Nagar, Dufraisse & Varma, 2021), arXiv:2107.01358",
    "cinc_quad": "CInC Flow with Quad-coupling (Nagar, Dufraisse & Varma, 2021), arXiv:2107.01358",
    "conf": "CONF, invertible convolutional flow (Karami et al., 2019)",
    "finc": "FInC Flow (Kallappa, Nagar & Varma, 2023), arXiv:2301.09266",
}
GOLDEN_SOURCES = {
    "mnist": "the MNIST test split (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0)",
    "fashion_mnist": "the Fashion-MNIST test split (Zalando SE; MIT)",
    "digits": "scikit-learn's digits (E. Alpaydin, C. Kaynak; CC BY 4.0)",
}


def read_evaluation(folder: Path) -> dict[str, Any] | None:
    """The content of eval.json, or None if the model was not evaluated."""
    path = folder / EVALUATION
    return json.loads(path.read_text()) if path.is_file() else None


def write_card(folder: Path) -> None:
    """Render the card of a model's folder into its README.md."""
    write_atomically(folder / CARD, render_card(folder).encode())


def render_card(folder: Path) -> str:
    """The card of a model's folder, from config.json and eval.json."""
    config, evaluation = read_config(folder), read_evaluation(folder)
    flow = config["flow"]
    height, width = flow["size"]
    name, dataset = config["name"], config["dataset"]
    sections = [
        f"# {name}",
        f"{SOURCES[config['architecture']]}, trained on {dataset}: "
        f"{flow['channels']} x {height} x {width} images, L = {flow['levels']} levels of "
        f"{flow['steps']} steps, coupling width {flow['hidden_channels']}, "
        f"{flow['preprocessing']} preprocessing.",
        f'```python\nimport zoo\n\nflow = zoo.load("{name}")\n'
        f"z = flow.encode(images)  # uint8 (B, {flow['channels']}, {height}, {width})\n"
        "assert (flow.decode(z) == images).all()\n```",
        f"Weights sha256 (over names, dtypes, shapes and bytes): `{config['sha256']}`",
        *(
            [_measured(evaluation), _certificate(evaluation["certificate"])]
            if evaluation
            else ["Not evaluated yet."]
        ),
        "## Files\n\n"
        "`config.json` describes the flow, `model.safetensors` holds its weights, `recipe.yaml` "
        "is the recipe it was trained from. `golden.safetensors` holds images with their latents "
        f"and log-density: patterns and noise{_golden_source(dataset)}.",
        "## Limits\n\nLike all flows, it can give high likelihood to simple images unlike any it "
        "was trained on; likelihood alone is no test of whether an image belongs to the data.",
    ]
    return "\n\n".join(sections) + "\n"


def _golden_source(dataset: str) -> str:
    return f", and images of {GOLDEN_SOURCES[dataset]}" if dataset in GOLDEN_SOURCES else ""


def _measured(evaluation: dict[str, Any]) -> str:
    protocol, versions = evaluation["protocol"], evaluation["versions"]
    times = evaluation["milliseconds_per_image"]
    rows = {
        "bits/dim, 1 draw": _with_error(evaluation, "bits_per_dim"),
        f"bits/dim, {protocol['draws_weighted']} draws, importance-weighted": _with_error(
            evaluation, "bits_per_dim_weighted"
        ),
        "images that come back bit for bit": f"{evaluation['exact_share']:.2%}",
        "images that needed float64": f"{evaluation['float64_share']:.2%}",
        "samples at temperature 1 that are finite": f"{evaluation['finite_sample_share']:.2%} "
        f"of {protocol['samples_drawn']}",
        "parameters": f"{evaluation['parameters']:,}",
        "encode / decode / sample, ms per image": " / ".join(
            f"{times[task]:.1f}" for task in ("encode", "decode", "sample")
        ),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return (
        f"## Measured\n\nOn the {evaluation['split']} split of {evaluation['dataset']}, "
        f"{protocol['images']} images, uniform dequantization, seed {protocol['seed']}; torch "
        f"{versions['torch']}, {versions['threads']} threads of a {versions['device']}.\n\n"
        f"| measure | value |\n| --- | --- |\n{table}"
    )


def _certificate(layers: list[dict[str, Any]]) -> str:
    worst = max(layers, key=lambda layer: layer["gain"])
    stable = all(layer["gain_bound"] is not None for layer in layers)
    proof = (
        "At any image size it is proven to be finite."
        if stable
        else "That it stays finite at any image size is not proven for the layers without a bound."
    )
    rows = "\n".join(
        f"| {x['name']} | {x['kind']} | {x['size'][0]} x {x['size'][1]} | {_number(x['g'])} | "
        f"{_number(x['gain_bound'])} | {_number(x['gain'])} | {_number(x['condition'])} |"
        for x in layers
    )
    return (
        f"## Stability\n\nThe inverse of a layer amplifies errors by at most its gain: "
        f"{_number(worst['gain'])} in the worst, {worst['name']}. {proof}\n\n"
        "<details><summary>Certificate of every linear layer</summary>\n\n"
        "| layer | kind | maps | g | bound, any size | gain | condition |\n"
        f"{'| --- ' * 7}|\n{rows}\n\n</details>"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _with_error(evaluation: dict[str, Any], key: str) -> str:
    return f"{evaluation[key]:.4f} ± {evaluation[key + '_standard_error']:.4f}"


def models_table() -> str:
    """The README's table of models, in Markdown."""
    header = "| model | data | bits/dim (test) | exact | finite samples | parameters |"
    rows = [header, "| --- | --- | --- | --- | --- | --- |"]
    for name in list_models(pretrained=True):
        evaluation = read_evaluation(folder_of(name))
        assert evaluation is not None, f"{name} was published without an evaluation"
        rows.append(
            f"| [`{name}`](model_cards/{name}) | {MODELS[name].dataset} "
            f"| {evaluation['bits_per_dim']:.3f} | {evaluation['exact_share']:.0%} "
            f"| {evaluation['finite_sample_share']:.0%} | {evaluation['parameters']:,} |"
        )
    untrained = [f"`{name}`" for name in list_models() if not MODELS[name].sha256]
    return "\n".join(rows) + f"\n\nWithout published weights yet: {', '.join(untrained)}."


def with_models_table(readme: str) -> str:
    """The README with the table of models between its two marks."""
    before, rest = readme.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    return f"{before}{MARKS[0]}\n{models_table()}\n{MARKS[1]}{after}"


def refresh(repository: Path) -> None:
    """Render all cards of the clone and the README's table again."""
    for name in list_models(pretrained=True):
        write_card(repository / "model_cards" / name)
    readme = repository / "README.md"
    write_atomically(readme, with_models_table(readme.read_text()).encode())


if __name__ == "__main__":
    refresh(Path(__file__).parents[1])
