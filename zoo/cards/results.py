"""The measurements of a model: every number is from its eval.json."""

from typing import Any

from zoo.cards.figure_files import show
from zoo.cards.markdown import details, join, percent, table, times, with_error
from zoo.cards.subject import Subject
from zoo.data import facts_of
from zoo.data.catalogue import PHOTOS

# Bits/dim by cjxl, measured on every 9th crop of the test split, and on its whole photographs.
JPEG_XL = (
    "JPEG XL takes 3.058 at effort 7 and 3.015 at effort 9, and 2.961 and 2.938 on the whole "
    "photographs (quoted, not measured by `flowzoo evaluate`)."
)


def results(subject: Subject) -> str:
    """Likelihood, exactness and limits, once they are measured."""
    if (measured := subject.evaluation) is None:
        return "## Evaluation\n\nNot evaluated yet."
    return join(
        _evaluation(subject, measured), _exactness(subject, measured), _limits(subject, measured)
    )


def _evaluation(subject: Subject, measured: dict[str, Any]) -> str:
    """The protocol and the table of results."""
    protocol, versions = measured["protocol"], measured["versions"]
    milliseconds = measured["milliseconds_per_image"]
    rows = {
        f"bits/dim, {protocol['draws']} draw": _with_error(measured, "bits_per_dim"),
        f"bits/dim, {protocol['draws_weighted']} draws, importance-weighted": _with_error(
            measured, "bits_per_dim_weighted"
        ),
        f"samples of {protocol['samples_drawn']} at temperature {protocol['temperature']:g} that "
        "are finite": percent(measured["finite_sample_share"], 2),
        **_accuracy(measured),
        "parameters": f"{measured['parameters']:,}",
        **{f"{task}, ms per image": f"{value:.1f}" for task, value in milliseconds.items()},
    }
    return join(
        "## Evaluation",
        f"On {_share(measured)}the {measured['split']} split of {subject.data.title}, "
        f"{protocol['images']:,} images in batches of {protocol['batch_size']}: "
        f"{protocol['dequantization']} dequantization, seed {protocol['seed']}, ± standard error; "
        f"torch {versions['torch']} on a {versions['device']}, threads: {versions['threads']}. "
        "`flowzoo evaluate` measures it again.",
        table(("measure", "value"), rows.items()),
        _codecs(subject, measured.get("codecs", {})),
    )


def _share(measured: dict[str, Any]) -> str:
    """The part of a split that was measured; nothing for all of it."""
    every = measured.get("every", 1)
    return f"1 in {every} images of " * (every > 1)


def _codecs(subject: Subject, codecs: dict[str, float]) -> str:
    """Lossless codecs on the same images; of the zoo's own photographs JPEG XL too."""
    if not codecs:
        return ""
    found = ", ".join(f"{bits:.3f} for {codec}" for codec, bits in codecs.items())
    own = subject.published and subject.folder.dataset == PHOTOS
    return f"Lossless codecs take on these images, in bits/dim: {found}, headers included." + (
        f" {JPEG_XL}" * own
    )


def _accuracy(measured: dict[str, Any]) -> dict[str, str]:
    """The row of classification; none for a flow without classes."""
    if "accuracy" not in measured:
        return {}
    draws = measured["protocol"]["draws_weighted"]
    name = f"accuracy of classification by Bayes' rule, {draws} draw{'s' * (draws > 1)}"
    return {name: percent(measured["accuracy"], 2)}


def _exactness(subject: Subject, measured: dict[str, Any]) -> str:
    """The round trip of the images, and the certificate of every linear layer."""
    error = measured["round_trip_grey_levels"]
    off = "NaN or infinite" if error is None else f"{error:.4f} grey levels off"
    return join(
        "## Exactness and stability",
        f"{percent(measured['exact_share'], 2)} of the images come back bit for bit. "
        f"{percent(measured['float64_share'], 2)} needed float64, and "
        f"{percent(measured['kept_share'], 2)} their pixels kept in the latents. "
        f"Before rounding, the worst pixel decoded is {off}; rounding bears half a level.",
        show(subject, "reconstructions.png"),
        _hostile(measured["hostile"]),
        _couplings(measured["couplings"]),
        *_certificate(measured["certificate"]),
    )


def _certificate(layers: list[dict[str, Any]]) -> tuple[str, ...]:
    """The worst linear layer, and a table of all of them; nothing if there are none."""
    if not layers:
        return ()
    worst = max(layers, key=lambda layer: layer["gain"])
    proof = (
        "At any image size it is proven to be finite."
        if all(layer["gain_bound"] is not None for layer in layers)
        else "That it stays finite at any image size is not proven for the layers without a bound."
    )
    heads = ("layer", "kind", "maps", "g", "bound, any size", "gain", "condition")
    rows = [
        (
            *(layer["name"], layer["kind"], times(layer["size"])),
            *(_number(layer[key]) for key in ("g", "gain_bound", "gain", "condition")),
        )
        for layer in layers
    ]
    return (
        "The inverse of a layer amplifies errors by at most its gain: "
        f"{_number(worst['gain'])} in the worst, {worst['name']}. {proof}",
        details("Certificate of every linear layer", table(heads, rows)),
    )


def _hostile(sets: dict[str, Any]) -> str:
    """Round trips of images that no data set holds, and the growth of rounding errors."""
    counts = ("images", "exact", "float32", "float64", "kept", "refused")
    rows = [
        (name, *(str(found[key]) for key in counts), _whole(found["amplification"]))
        for name, found in sets.items()
    ]
    return join(
        "Images that no data set holds come back too: flat ones, dots, checkerboards, stripes, "
        "ramps, noise, shuffled and negated images, and those found by gradient ascent on the "
        "amplification. The table says in which precision, or by pixels kept in the latents. "
        "Amplification is how many grey levels a pixel moves, at most, for each relative change of "
        "the latents; float32 changes them by about one part in eight million.",
        table(("set", *counts, "amplification"), rows),
    )


def _couplings(limits: dict[str, Any]) -> str:
    """Limits of the couplings, whatever the image."""
    shift = "free" if limits["shift"] is None else f"within ±{limits['shift']:g}"
    named = ", ".join(limits["uncertified"])
    return (
        f"Its {limits['number']} couplings stretch or shrink a number by at most "
        f"{limits['scale']:.3g}; their shifts are {shift}."
        + f" Not certified: {named}."
        * bool(named)
    )


def _limits(subject: Subject, measured: dict[str, Any]) -> str:
    """Likelihood of images that are not of its data set."""
    histogram = measured["likelihood_histogram"]
    heads = ("images", "number", "bits/dim, mean", "lowest", "likelier than the median of test")
    rows = [
        (
            *(facts_of(name).title, str(found["images"]), f"{found['bits_per_dim']:.3f}"),
            *(f"{found['bits_per_dim_lowest']:.3f}", percent(found["likelier_share"], 2)),
        )
        for name, found in histogram["sets"].items()
    ]
    return join(
        "## Limits",
        "Like all flows, it can give high likelihood to simple images unlike any it was trained "
        "on, such as an all-black one. Likelihood alone is no test of whether an image belongs to "
        "the data:",
        show(subject, "histogram.png"),
        table(heads, rows),
        f"The first images of each test split and every constant grey image; {histogram['draws']} "
        f"draw each, seed {histogram['seed']}. The outermost bins hold what lies beyond.",
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _whole(value: float | None) -> str:
    return "unbounded" if value is None else f"{value:,.0f}"


def _with_error(measured: dict[str, Any], key: str) -> str:
    return with_error(measured[key], measured[f"{key}_standard_error"])
