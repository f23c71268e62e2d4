"""The docs say what the files of measurements beside them say."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from math import nan
from operator import mul
from pathlib import Path

import pytest

import zoo
from zoo.sources import MODELS

MINUS = "\u2212"
DOCS = Path(__file__).parents[1] / "docs"
Record = dict[str, str]
FOLDERS = {"photographs.csv": "test photographs", "standard.csv": "well-known pictures"}
CODED = ("bits_per_dim", "webp", "png")  # of the flow, and of the files of two codecs


def records(name: str) -> list[Record]:
    return list(csv.DictReader((DOCS / "benchmarks" / name).read_text().splitlines()))


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def bounded_taps() -> Iterator[str]:
    for row in records("bounded_taps.csv"):
        gains = [f"{float(row[name]):.2f}" for name in ("g", "gain", "gain_64")]
        bits = f"{float(row['bits_per_dim']):.4f}"
        yield line(row["data"], f"`{row['flow']}`", row["gain_max"], bits, *gains)


def bounds() -> Iterator[str]:
    """Every run with bounds or without them: likelihood, and what hostile images take."""
    for row in records("bounds.csv"):
        bits, error, median, worst, g = (
            float(row[name] or "nan")
            for name in ("bits_per_dim", "standard_error", "median_error", "worst_error", "g")
        )
        counts = " / ".join(row[name] for name in ("float32", "float64", "kept"))
        yield line(
            *(row["data"], f"`{row['flow']}`", row["variant"], row["seed"]),
            *(f"{bits:.4f} ± {error:.3f}", counts, f"{median:.2g} / {worst:.2g}"),
            "-" if g != g else f"{g:.2f}",
        )


def black() -> Iterator[str]:
    """Runs with each preprocessing on pictures that are black for the most part."""
    for row in records("black.csv"):
        bits, error, alone = (
            float(row[name]) for name in ("bits_per_dim", "standard_error", "black")
        )
        counts = " / ".join(row[name] for name in ("float32", "float64", "kept"))
        kind = f"`{row['preprocessing']}`"
        yield line(row["data"], kind, f"{bits:.4f} ± {error:.3f}", f"{alone:.3f}", counts)


def bound_costs() -> Iterator[str]:
    """The cost of all bounds for each family, by data set and seed."""
    found = {
        (row["data"], row["seed"], row["flow"], row["variant"]): float(row["bits_per_dim"])
        for row in records("bounds.csv")
    }
    for run in dict.fromkeys(key[:2] for key in found if key[3] == "stable"):
        costs = [
            found.get((*run, flow, "stable"), nan) - found.get((*run, flow, "free"), nan)
            for flow in ("cinc", "cinc_quad", "conf", "emerging", "finc", "glow")
        ]
        cells = ("-" if cost != cost else f"{cost:.3f}".replace("-", MINUS) for cost in costs)
        yield line(f"{run[0]}, seed {run[1]}", *cells)


def sizes() -> Iterator[str]:
    """Float32 errors of the same runs at larger images."""
    for row in records("bounds.csv"):
        errors = (f"{float(row[f'error_{sides}']):.1g}" for sides in (1, 4, 16))
        yield line(row["data"], f"`{row['flow']}`", row["variant"], row["seed"], *errors)


def hostile() -> Iterator[str]:
    """Round trips of hostile images of each published flow."""
    for name in zoo.list_models(pretrained=True):
        measured = json.loads((DOCS.parent / "model_cards" / name / "eval.json").read_text())
        for images, found in measured["hostile"].items():
            counts = (
                str(found[key]) for key in ("images", "float32", "float64", "kept", "refused")
            )
            yield line(f"`{name}`", images, *counts, f"{found['amplification']:.1e}")


def cases() -> dict[tuple[str, ...], list[Record]]:
    """The rows of each case of the inverse benchmark."""
    table = defaultdict(list)
    for row in records("inverse.csv"):
        names = ("images", "unit", "channels", "side", "kernel", "batch")
        table[tuple(row[name] for name in names)].append(row)
    return table


def chosen(rows: list[Record]) -> Record:
    return next(row for row in rows if row["chosen"] == "True" and row["method"] != "auto")


def inverses() -> Iterator[str]:
    cells = {
        (*case[2:4], case[1], case[4]): f"{float(rows[0]['ratio']):.2f} ({chosen(rows)['method']})"
        for case, rows in cases().items()
        if "x" in case[0] and case[5] == "100"
    }
    columns = [(unit, k) for unit in ("PaddedConv2d", "FInCUnit") for k in ("3", "5", "7")]
    for channels, side in dict.fromkeys(key[:2] for key in cells):
        layer = [cells.get((channels, side, *column), "-") for column in columns]
        yield line(f"C{channels}, {side}²", *layer)


def choices() -> Iterator[str]:
    good = {"True": [], "False": []}
    for rows in cases().values():
        best = min(float(row["inverse_ms"]) for row in rows if row["method"] != "auto")
        within = float(chosen(rows)["inverse_ms"]) <= 1.15 * best
        good[rows[0]["calibration"]].append(within)
    fitted, others = good["True"], good["False"]
    yield f"{sum(fitted)} of {len(fitted)} calibration cases"
    yield f"{sum(others)} of {len(others)} others"


def flows() -> Iterator[str]:
    table = defaultdict(list)
    for row in records("flows.csv"):
        times = f"{float(row['milliseconds']):.0f} ms ({float(row['ratio']):.2f})"
        table[row["preset"], row["batch"], row["architecture"]].append(times)
    for (preset, batch, flow), cells in table.items():
        yield line(f"{preset}, {batch}", f"`{flow}`", *cells)


def spectral() -> Iterator[str]:
    table = defaultdict(dict)
    for row in records("spectral.csv"):
        if row["direction"] == "inverse":
            nanoseconds = f"{float(row['nanoseconds_per_element']):,.1f}"
            table[int(row["length"])][row["convolution"]] = nanoseconds
    names = ("circular", "reflect", "symmetric", "dense")
    for length in (64, 512, 4096, 65536):
        yield line(f"{length:,}", *[table[length].get(name, "-") for name in names])


def ablation() -> Iterator[str]:
    """The runs of each variant, by the first seed, which all of them have."""
    table = defaultdict(dict)
    for row in records("conf_ablation.csv"):
        bits = f"{float(row['bits_per_dim']):.4f}"
        table[row["variant"], row["parameters"]][row["seed"]] = bits
    for (variant, parameters), runs in sorted(table.items(), key=lambda item: item[1]["0"]):
        seeds = [runs.get(seed, "-") for seed in "012"]
        yield line(f"`{variant}`", f"{int(parameters):,}", *seeds)


def loading() -> Iterator[str]:
    rows = records("load.csv")
    seconds, imports = ([float(row[k]) for row in rows] for k in ("seconds", "torch_seconds"))
    yield f"{min(seconds):.2f} to {max(seconds):.2f} s from `import torch`"
    yield f"({min(imports):.1f} to {max(imports):.1f} s in these runs)"


def test_every_pretrained_model_was_ready_within_0_3_s() -> None:
    rows = [row for row in records("load.csv") if row["way"] == "torch.hub.load"]
    assert [row["model"] for row in rows] == zoo.list_models(pretrained=True)
    assert [row for row in rows if float(row["seconds"]) > 0.3] == []


def scaling() -> Iterator[str]:
    for row in records("scaling.csv"):
        rate, processes = float(row["images_per_second"]), row["processes"]
        efficiency = f"{float(row['efficiency']):.2f}"
        yield line(
            row["task"], processes, f"{rate:.0f}", f"{rate / int(processes):.0f}", efficiency
        )


def training() -> Iterator[str]:
    for row in records("training.csv"):
        ratios = [f"{float(row[name]):.2f}" for name in ("to_normflows", "time_to_glow")]
        numbers = (f"{float(row[name]):.0f}" for name in ("images_per_second", "mebibytes"))
        rate, mebibytes = numbers
        yield line(row["preset"], row["flow"], row["lever"] or "-", rate, *ratios, mebibytes)


def budget() -> Iterator[str]:
    for row in records("budget.csv"):
        minutes, bits = f"{float(row['minutes']):g}", f"{float(row['bits_per_dim']):.4f}"
        yield line(row["flow"], minutes, row["steps"], bits)


def images() -> Iterator[str]:
    """Memory of whole photographs, by task."""
    table = defaultdict(list)
    for row in records("images.csv"):
        table[f"{row['height']} x {row['width']}"].append(f"{float(row['gibibytes']):.2f}")
    for size, gibibytes in table.items():
        yield line(size, *gibibytes)


def crops() -> Iterator[str]:
    """Published flows of photographs, and codecs, on the test crops."""
    finc, glow = (MODELS[name].folder.evaluation for name in ("finc_photos", "glow_photos"))
    for recipe, measured in (("longer/finc", finc), ("glow", glow)):
        yield f"(`recipes/photos/{recipe}.yaml`) | {measured['bits_per_dim']:.3f} |"
    yield line("WebP, lossless", f"{finc['codecs']['WebP']:.3f}")
    yield line("PNG", f"{finc['codecs']['PNG']:.3f}")


def whole_photographs() -> Iterator[str]:
    """Whole photographs: bits/dim of all pixels, and how many came back, and by float32."""
    for name, folder in FOLDERS.items():
        rows = records(name)
        areas = [int(row["height"]) * int(row["width"]) for row in rows]
        sums = (sum(map(mul, areas, (float(row[key]) for row in rows))) for key in CODED)
        bits = [f"{total / sum(areas):.3f}" for total in sums]
        exact = sum(row["exact"] == "True" for row in rows)
        float32 = sum(row["precision"] == "float32" for row in rows)
        yield line(folder, str(len(rows)), *bits, str(exact), str(float32))


def depths() -> Iterator[str]:
    """Sampling over the depth, ours and sequential."""
    for row in records("depth.csv"):
        cells = (row["steps"], row["images"], f"`{row['flow']}`", row["algorithm"])
        poster = f"{float(row['poster']):.2f}" if row["poster"] else "-"
        yield line(*cells, f"{float(row['seconds']):.2f}", poster)


def couplings() -> Iterator[str]:
    """CInC's ablation, in equal runs."""
    for row in records("papers.csv"):
        bits = f"{float(row['bits_per_dim']):.3f} ± {float(row['standard_error']):.3f}"
        yield line(f"`{row['variant']}`", f"{int(row['parameters']):,}", bits)


def every_family() -> Iterator[str]:
    """FInC's table: likelihood where weights are published, and times of both directions."""
    table = defaultdict(dict)
    for row in records("flows.csv"):
        if row["preset"] == "compact_cifar10":
            table[row["architecture"]][row["task"]] = float(row["milliseconds"])
    for flow, times in table.items():
        model = MODELS[f"{flow}_cifar10"]
        bits = f"{model.folder.evaluation['bits_per_dim']:.3f}" if model.sha256 else "-"
        yield line(f"`{flow}`", bits, f"{times['log_prob']:.0f}", f"{times['sample']:.0f}")


TABLES: dict[str, tuple[Callable[[], Iterator[str]], ...]] = {
    "stability.md": (hostile,),
    "measurements/black.md": (black,),
    "measurements/bounds.md": (bounded_taps, bounds, bound_costs, sizes),
    "measurements/papers.md": (depths, couplings, every_family),
    "inverse.md": (inverses, choices, flows, loading),
    "conf.md": (ablation, spectral),
    "scale.md": (scaling,),
    "training.md": (training, budget),
    "photos.md": (crops, images, whole_photographs),
    "../model_cards/conf_mnist/README.md": (ablation,),
}


@pytest.mark.parametrize("page", TABLES)
def test_the_docs_say_what_was_measured(page: str) -> None:
    text = (DOCS / page).read_text()
    wanted = [entry for table in TABLES[page] for entry in table()]
    assert [entry for entry in wanted if entry not in text] == []
