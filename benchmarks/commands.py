"""Speed, measured here and now: a command for each table of the docs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.records import write_csv
from zoo.cli.common import DEFAULT_MODEL
from zoo.devices import find_device
from zoo.errors import require
from zoo.sources import list_models

if TYPE_CHECKING:
    from benchmarks.inverse import Row

app = typer.Typer(help="Measure on this machine.", no_args_is_help=True, add_completion=False)
console = Console(markup=False, highlight=False)

Output = Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")]
Repeats = Annotated[int, typer.Option(help="How often each is timed.", min=1)]
DataDir = Annotated[Path, typer.Option(help="Folder of the data sets' raw files.")]
Seed = Annotated[int, typer.Option(help="Of everything.", min=0)]


@app.command()
def inverse(output: Output = Path("benchmark"), repeats: Repeats = 7) -> None:
    """Exact inverse of padded convolutions against their forward, for every method."""
    figures = require("benchmarks.figures", "benchmark")
    from benchmarks.costs import fit
    from benchmarks.inverse import curve_cases, layer_cases, measure, timed

    cases = [*layer_cases(), *curve_cases()]
    measured = [measure(case, repeats) for case in track(cases, "measuring", console=console)]
    rows = [row for case_rows in measured for row in case_rows]
    write_csv(output / "inverse.csv", [row.record() for row in rows])
    figures.inverse_figure(rows, output / "inverse.png")
    _print_inverse(measured)
    console.print(f"costs that fit the calibration cases best: {fit(timed(measured))}")
    console.print(f"{output}/inverse.csv and inverse.png written")


def _print_inverse(measured: Sequence[list["Row"]]) -> None:
    from benchmarks.inverse import regret

    heads = ("images", "layer", "map", "k", "batch", "forward ms", "inverse ms", "ratio")
    table = Table(*heads, "method", "to the best", "error", title=f"{_threads()}, float32")
    regrets: dict[bool, list[float]] = {True: [], False: []}
    for rows in measured:
        case = rows[0].case
        auto = next(row for row in rows if row.method == "auto")
        chosen = next(row for row in rows if row.chosen)
        regrets[case.calibration].append(regret(rows))
        table.add_row(
            *(case.images, f"{case.unit} {case.channels}", f"{case.side}²", str(case.kernel)),
            *(str(case.batch), f"{auto.forward_ms:.2f}", f"{auto.inverse_ms:.2f}"),
            *(f"{auto.ratio:.2f}", chosen.method, f"{regret(rows):.2f}", f"{auto.error:.1e}"),
        )
    console.print(table)
    for calibration, values in regrets.items():
        within = sum(value <= 1.15 for value in values)
        kind = "calibration" if calibration else "other"
        console.print(
            f"{kind} cases: the choice is within 15% of the best in {within} of {len(values)}, "
            f"at worst {max(values):.2f} times as slow"
        )


@app.command()
def flows(
    output: Output = Path("benchmark"),
    preset: Annotated[
        list[str] | None, typer.Option(help="Sizes; default: both compact ones.")
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Images at a time.", min=1)] = 64,
    repeats: Repeats = 5,
) -> None:
    """Encode, score and sample with every architecture, and where the time goes."""
    from benchmarks.flows import measure

    sizes = preset or ["compact_mnist", "compact_cifar10"]
    rows = []
    for size in track(sizes, "measuring", console=console):
        rows += measure(size, batch_size, repeats)
    write_csv(output / "flows.csv", [row.record() for row in rows])
    heads = ("size", "flow", "task", "batch", "ms", "to Glow", "floor ms")
    table = Table(*heads, title=_threads())
    for row in rows:
        table.add_row(
            *(row.preset, row.architecture, row.task, str(row.batch), f"{row.milliseconds:.1f}"),
            *(f"{row.ratio:.2f}", f"{row.floor_ms:.1f}"),
        )
    console.print(table)
    for row in rows:
        parts = sorted(row.parts.items(), key=lambda part: -part[1])
        spent = ", ".join(f"{name} {value:.1f}" for name, value in parts)
        console.print(f"{row.preset} {row.architecture} {row.task}: {spent} ms", soft_wrap=True)
    console.print(f"{output}/flows.csv written")


@app.command()
def depth(output: Output = Path("benchmark"), repeats: Repeats = 3) -> None:
    """Sampling on one thread over the depth of a flow, and by the sequential algorithm."""
    from benchmarks.depth import measure

    rows = [row for images in (1, 100) for row in measure(images, repeats)]
    _show(rows, output / "depth.csv")


@app.command()
def spectral(output: Output = Path("benchmark"), repeats: Repeats = 9) -> None:
    """CONF's convolutions against the length of the signal, beside a dense solve."""
    figures = require("benchmarks.figures", "benchmark")
    from benchmarks.spectral import LENGTHS, measure

    lengths = track(LENGTHS, "measuring", console=console)
    rows = [row for length in lengths for row in measure(length, repeats)]
    write_csv(output / "spectral.csv", [row._asdict() for row in rows])
    figures.spectral_figure(rows, output / "spectral.png")
    table = Table("convolution", "direction", "N", "ns per element", title=_threads())
    for row in rows:
        nanoseconds = f"{row.nanoseconds_per_element:.2f}"
        table.add_row(row.convolution, row.direction, str(row.length), nanoseconds)
    console.print(table)
    console.print(f"{output}/spectral.csv and spectral.png written")


@app.command("load")
def loading(output: Output = Path("benchmark"), repeats: Repeats = 9) -> None:
    """From a fresh interpreter to a ready pretrained model, beyond importing torch."""
    from benchmarks.load import measure

    rows = measure(list_models(pretrained=True), repeats)
    write_csv(output / "load.csv", [row._asdict() for row in rows])
    table = Table("model", "way", "import torch s", "then ready s", title=_threads())
    for row in rows:
        table.add_row(row.model, row.way, f"{row.torch_seconds:.2f}", f"{row.seconds:.3f}")
    console.print(table)
    console.print(f"{output}/load.csv written")


@app.command()
def images(
    output: Output = Path("benchmark"),
    model: Annotated[str, typer.Option("--model", "-m", help="As for zoo.load.")] = DEFAULT_MODEL,
    megapixels: Annotated[
        list[float] | None, typer.Option(help="Sizes; default: 0.25, 1, 4 and 12.", min=0.001)
    ] = None,
) -> None:
    """Encode, verify and decode whole photographs: time and memory against their pixels."""
    figures = require("benchmarks.figures", "benchmark")
    from benchmarks.images import MEGAPIXELS, measure

    rows = []
    table = Table("megapixels", "task", "seconds", "GiB", title=f"{model}, {_threads()}")
    for own in measure(model, megapixels or MEGAPIXELS):
        rows += own  # the next size may take long, or too much
        write_csv(output / "images.csv", [row._asdict() for row in rows])
        figures.images_figure(rows, output / "images.png")
        for row in own:
            numbers = (f"{row.seconds:.1f}", f"{row.gibibytes:.2f}")
            table.add_row(f"{row.megapixels:.2f}", row.task, *numbers)
    console.print(table)
    console.print(f"{output}/images.csv and images.png written")


@app.command()
def photographs(
    folder: Annotated[Path, typer.Argument(help="Photographs of any size.")],
    output: Output = Path("benchmark"),
    model: Annotated[str, typer.Option("--model", "-m", help="As for zoo.load.")] = DEFAULT_MODEL,
) -> None:
    """Bits/dim of whole photographs, and whether they come back, one after the other."""
    from benchmarks.photographs import measure

    rows = []
    table = Table("photograph", "pixels", "bits/dim", "PNG", "WebP", "exact", title=model)
    for row in measure(model, folder):
        rows.append(row)  # the next may take long
        write_csv(output / "photographs.csv", [row._asdict() for row in rows])
        bits = (f"{number:.3f}" for number in (row.bits_per_dim, row.png, row.webp))
        back = f"in {row.precision}" if row.exact else "no"
        table.add_row(row.photograph, f"{row.height} x {row.width}", *bits, back)
    console.print(table)
    console.print(f"{output}/photographs.csv written")


@app.command()
def training(
    output: Output = Path("benchmark"),
    preset: Annotated[
        list[str] | None, typer.Option(help="Sizes; default: both compact ones.")
    ] = None,
    repeats: Repeats = 5,
) -> None:
    """Images a second and memory of training, beside normflows' Glow and for each option."""
    figures = require("benchmarks.figures", "benchmark")
    require("normflows", "benchmark")
    from benchmarks.training import SIZES, measure

    sizes = track(preset or list(SIZES), "measuring", console=console)
    rows = [row for size in sizes for row in measure(size, repeats)]
    write_csv(output / "training.csv", [row._asdict() for row in rows])
    figures.training_figure(rows, output / "training.png")
    heads = ("size", "flow", "option", "images/s", "to normflows", "time to Glow", "MiB")
    table = Table(*heads, title=_threads())
    for row in rows:
        table.add_row(
            *(row.preset, row.flow, row.lever, f"{row.images_per_second:.0f}"),
            *(f"{row.to_normflows:.2f}", f"{row.time_to_glow:.2f}", f"{row.mebibytes:.0f}"),
        )
    console.print(table)
    console.print(f"{output}/training.csv and training.png written")


@app.command()
def budget(
    output: Output = Path("benchmark"),
    minutes: Annotated[float, typer.Option(help="Of training, for each.")] = 8.0,
    data_dir: DataDir = Path("data"),
) -> None:
    """Test bits/dim on MNIST after equal minutes: our flows and normflows' Glow, one by one."""
    require("normflows", "benchmark")
    from benchmarks.budget import CONTESTANTS, train

    names = track(CONTESTANTS, "training", console=console)
    rows = [train(name, minutes, data_dir) for name in names]
    write_csv(output / "budget.csv", [row._asdict() for row in rows])
    table = Table("flow", "minutes", "steps", "test bits/dim", title=_threads())
    for row in rows:
        table.add_row(row.flow, f"{row.minutes:g}", str(row.steps), f"{row.bits_per_dim:.4f}")
    console.print(table)
    console.print(f"{output}/budget.csv written")


@app.command()
def bounds(
    data_dir: DataDir,
    output: Output = Path("runs/bounds"),
    only: Annotated[list[str] | None, typer.Option(help="DATA-FLOW-VARIANT; default: all.")] = None,
    seed: Seed = 0,
) -> None:
    """Measure the cost and benefit of bounds of couplings and taps by equal training runs."""
    require("benchmarks.bounds", "train").run(data_dir, output, only, seed)


@app.command()
def black(data_dir: DataDir, output: Output = Path("runs/black"), seed: Seed = 0) -> None:
    """Measure the gain of more room for black by equal training runs on grey pictures."""
    require("benchmarks.black", "train").run(data_dir, output, seed)


@app.command()
def papers(
    data_dir: DataDir,
    output: Output = Path("runs/papers"),
    only: Annotated[list[str] | None, typer.Option(help="A variant; default: all.")] = None,
    seed: Seed = 0,
) -> None:
    """The comparisons of CInC's and CONF's papers on CIFAR-10, in equal training runs."""
    require("benchmarks.papers", "train").run(data_dir, output, only, seed)


@app.command()
def gpu(
    output: Output = Path("runs/gpu"),
    section: Annotated[
        list[str] | None,
        typer.Option(help="machine, exact, solvers, flows or training; default: all."),
    ] = None,
    budget: Annotated[float, typer.Option(help="Seconds, of all sections.")] = 500.0,
    batch_size: Annotated[int, typer.Option(help="Images at a time.", min=1)] = 100,
    device: Annotated[str, typer.Option(help="auto is a GPU if there is one.")] = "auto",
    tiny: Annotated[bool, typer.Option("--tiny", help="A dry run with small sizes.")] = False,
) -> None:
    """Exactness, inverses, whole flows and training on a GPU; without one it is a dry run."""
    measure = require("benchmarks.gpu", "benchmark")
    small = tiny or not torch.cuda.is_available()
    setup = measure.Setup(find_device(device), 2 if small else batch_size, small)
    measure.run(section, setup, output, budget)


@app.command()
def launches(
    output: Output = Path("runs/gpu"),
    preset: Annotated[list[str] | None, typer.Option(help="Sizes; default: all.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images at a time.", min=1)] = 64,
) -> None:
    """Launches, synchronisations and host copies of every flow, counted on fake CUDA tensors."""
    counts = require("benchmarks.launches", "train")
    counts.run(preset or counts.PRESETS, batch_size, output)


@app.command("conf_ablation")
def conf_ablation(
    data_dir: DataDir,
    output: Output = Path("runs/conf_ablation"),
    only: Annotated[list[str] | None, typer.Option(help="A variant; default: all.")] = None,
    steps: Annotated[int, typer.Option(help="Of each run.", min=1)] = 2000,
    seed: Seed = 0,
) -> None:
    """CONF on MNIST: convolution x adaptive or fixed kernel x gate, in equal training runs."""
    require("benchmarks.conf_ablation", "train").run(data_dir, output, only, steps, seed)


@app.command()
def scaling(
    data_dir: DataDir,
    output: Output = Path("benchmark"),
    processes: Annotated[int, typer.Option(help="The most processes, at one thread.", min=2)] = 2,
    repeats: Repeats = 3,
) -> None:
    """Training and bulk encoding in one process and in more, of one thread each."""
    benchmarks = require("benchmarks.scaling", "train")
    rows = benchmarks.measure(data_dir, [1, processes], repeats)
    write_csv(output / "scaling.csv", [row._asdict() for row in rows])
    table = Table("task", "processes", "images/s", "efficiency")
    for row in rows:
        rate = f"{row.images_per_second:.1f}"
        table.add_row(row.task, str(row.processes), rate, f"{row.efficiency:.2f}")
    console.print(table)
    console.print(f"{output}/scaling.csv written")


@app.command()
def directions(
    data_dir: DataDir,
    output: Output = Path("benchmark"),
    model: Annotated[str, typer.Option(help="Flow of a data set with labels.")] = "finc_mnist",
    found_in: Annotated[int, typer.Option(help="Training images.", min=100)] = 6000,
    tested: Annotated[int, typer.Option(help="Test images to move.", min=1)] = 200,
    seed: Seed = 0,
) -> None:
    """Two ways of finding directions: how far one must go, and how much else changes."""
    benchmarks = require("benchmarks.directions", "train")
    _show(benchmarks.measure(model, data_dir, found_in, tested, seed), output / "directions.csv")


@app.command()
def unusual(
    data_dir: DataDir,
    output: Output = Path("benchmark"),
    model: Annotated[
        list[str] | None, typer.Option(help="Default: all with weights that have sets to be shown.")
    ] = None,
    count: Annotated[int, typer.Option(help="Images of each set.", min=2)] = 500,
    seed: Seed = 0,
) -> None:
    """AUROC of the scores of pretrained flows: their own test images against others."""
    benchmarks = require("benchmarks.unusual", "train")
    names = track(model or benchmarks.models(), "scoring", console=console)
    rows = [row for name in names for row in benchmarks.measure(name, data_dir, count, seed)]
    _show(rows, output / "unusual.csv")


def _show(rows: Sequence[Any], path: Path) -> None:
    """Print rows as a table, and write them."""
    records = [row._asdict() for row in rows]
    write_csv(path, records)
    table = Table(*records[0])
    for record in records:
        table.add_row(*(f"{x:.3f}" if isinstance(x, float) else str(x) for x in record.values()))
    console.print(table)
    console.print(f"{path} written")


def _threads() -> str:
    return f"{torch.get_num_threads()} threads"
