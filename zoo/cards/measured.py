"""Entries of config.json and eval.json that a card needs, and their types."""

from typing import Any

from zoo.documents import DocumentError, Each, check
from zoo.folder import ModelFolder

ABOUT = {
    "class_names": [int | str],
    "dataset_title": str,
    "grey_levels": int,
    "license": str,
    "parent": {"name": str, "sha256": str},
    "pictures": str,
}
HOSTILE = {
    **dict.fromkeys(("images", "exact", "float32", "float64", "kept", "refused"), int),
    "amplification": float | None,
}
LAYER = {
    **{"name": str, "kind": str, "size": [int], "gain": float, "condition": float},
    **{"g": float | None, "gain_bound": float | None},
}
SET = {
    **{"images": int, "counts": [int], "bits_per_dim": float, "bits_per_dim_lowest": float},
    "likelier_share": float,
}
HISTOGRAM = {"edges": [float], "sets": Each({"images": int, "counts": [int]})}
COMPLEXITY = "complexity_histogram"  # which the oldest evaluations lack
NUMBERS = (
    *("bits_per_dim", "bits_per_dim_weighted", "exact_share", "float64_share", "kept_share"),
    "finite_sample_share",
)
COUNTS = ("draws", "draws_weighted", "samples_drawn", "images", "batch_size", "seed")
EVALUATION = {
    **dict.fromkeys(NUMBERS, float),
    **{"split": str, "parameters": int, "milliseconds_per_image": dict[str, float]},
    "round_trip_grey_levels": float | None,
    "bits_per_dim_standard_error": float | None,
    "bits_per_dim_weighted_standard_error": float | None,
    "protocol": {**dict.fromkeys(COUNTS, int), "temperature": float, "dequantization": str},
    "versions": {"torch": str, "device": str, "threads": int},
    "certificate": [LAYER],
    "couplings": {"number": int, "scale": float, "shift": float | None, "uncertified": [str]},
    "hostile": Each(HOSTILE),
    "likelihood_histogram": {**HISTOGRAM, "draws": int, "seed": int, "sets": Each(SET)},
}
OPTIONAL = {"accuracy": float, "every": int}


def check_about(config: dict[str, Any]) -> None:
    """Raise DocumentError if an entry of config.json is of another type than a card shows."""
    check(config, {name: of for name, of in ABOUT.items() if config.get(name) is not None})


def measured_of(folder: ModelFolder) -> dict[str, Any] | None:
    """The content of eval.json; None if there is none, or it lacks what a card shows."""
    evaluation = folder.evaluation
    try:
        check_measured(evaluation or {})
    except DocumentError:
        return None
    return evaluation


def check_measured(evaluation: dict[str, Any]) -> None:
    """Raise DocumentError unless eval.json has all that a card and its figures show."""
    optional = {key: of for key, of in OPTIONAL.items() if key in evaluation}
    check(evaluation, {**EVALUATION, **optional})
    check(evaluation.get("codecs", {}), dict[str, float])
    _check_histogram(evaluation["likelihood_histogram"])
    if COMPLEXITY in evaluation:
        check(evaluation, {COMPLEXITY: HISTOGRAM})
        _check_histogram(evaluation[COMPLEXITY])


def _check_histogram(histogram: dict[str, Any]) -> None:
    """Raise DocumentError unless each set has images, and a count for each bin."""
    sets = histogram["sets"].values()
    sizes = {len(found["counts"]) for found in sets}
    if sizes != {len(histogram["edges"]) - 1} or any(sum(found["counts"]) < 1 for found in sets):
        raise DocumentError("its histogram has other counts than bins")
