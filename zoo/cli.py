"""The `flowzoo` command."""

import itertools
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table
from torch import Tensor

from zoo import __version__
from zoo.architectures import config_to_json
from zoo.errors import ArgumentError, DataError, FlowzooError
from zoo.evaluation.commands import benchmark
from zoo.evaluation.record import EVALUATION, read_evaluation, read_named_config
from zoo.extras import require
from zoo.files import write_json
from zoo.hub import HUB
from zoo.images import spread_levels
from zoo.latents import LatentFile
from zoo.memory import keep_memory
from zoo.outputs import check_outputs
from zoo.pictures import Fit, read_image, write_grid, write_image
from zoo.registry import LOCAL, MODELS, folder_of, list_models, load, pin
from zoo.weights import content_hash, read_config

app = typer.Typer(
    name="flowzoo",
    help="Image normalizing flows with invertible convolutions, and their exact latents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(benchmark, name="benchmark")
console = Console(markup=False, highlight=False)

DEFAULT_MODEL = "finc_mnist"
OWN_HELP = "A name of `flowzoo ls`, or local-dir:PATH."
MODEL_HELP = "A name of `flowzoo ls`, hf-hub:OWNER/REPO@REVISION, or local-dir:PATH."

ModelOption = Annotated[str, typer.Option("--model", "-m", help=MODEL_HELP)]
ModelArgument = Annotated[str, typer.Argument(metavar="NAME", help=MODEL_HELP)]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that flowzoo did not write, too.")
]
Device = Annotated[
    str, typer.Option(help="Such as cpu, cuda or cuda:1; auto is a GPU if there is one.")
]
Batch = Annotated[int, typer.Option(help="Images at a time.", min=1)]
Resize = Annotated[bool, typer.Option("--resize", help="Resize to the model's size (default).")]
Pad = Annotated[bool, typer.Option("--pad", help="Pad with black; decode removes it again.")]
Original = Annotated[
    bool, typer.Option("--original-size", help="Keep the size; the model must accept it.")
]


def main() -> None:
    """Run the command; every error is one line and exit code 2, or that of SIGTERM."""
    keep_memory()
    status = 2
    # click's UsageError, which typer does not export.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    try:
        sys.exit(app(standalone_mode=False))
    except FlowzooError as error:
        message, status = str(error), error.exit_status
    except usage_error as error:
        message = error.format_message()  # type: ignore[attr-defined]
        if not message:  # no arguments: the help has been printed
            sys.exit(2)
        message += " See flowzoo --help."
    except typer.Abort:
        message = "interrupted."
    except OSError as error:
        message = str(error)
    print(f"flowzoo: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(status)


@app.command()
def ls(
    pattern: Annotated[str, typer.Argument(help='Such as "finc_*".')] = "*",
    pretrained: Annotated[bool, typer.Option(help="Only those with weights.")] = False,
) -> None:
    """List the models."""
    table = Table("model", "architecture", "data set", "pretrained", "bits/dim (test)")
    for name in list_models(pattern, pretrained=pretrained):
        model = MODELS[name]
        evaluation = read_evaluation(folder_of(name)) if model.sha256 else None
        weights = "yes" if model.sha256 else "-"
        score = f"{evaluation['bits_per_dim']:.3f}" if evaluation else "-"
        table.add_row(name, model.architecture, model.dataset, weights, score)
    console.print(table)


@app.command()
def info(name: ModelArgument, device: Device = "auto") -> None:
    """Show a model's configuration, size, evaluation and stability certificate."""
    name = pin(name)
    pretrained = name not in MODELS or MODELS[name].sha256 is not None
    flow = load(name, pretrained=pretrained, device=device)
    console.print_json(data=config_to_json(flow.config))
    console.print(f"parameters: {sum(p.numel() for p in flow.parameters()):,}")
    if not pretrained:
        console.print("weights: none published; random ones have no certificate")
        return
    console.print(f"weights sha256: {content_hash(flow.state_dict())}")
    if parent := read_config(folder_of(name)).get("parent"):
        console.print_json(data={"fine-tuned from": parent})
    if evaluation := read_evaluation(folder_of(name)):
        console.print_json(data=evaluation)
    print(flow.certify().table())


@app.command()
def encode(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Image files.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File for the latents.")],
    model: ModelOption = DEFAULT_MODEL,
    resize: Resize = False,
    pad: Pad = False,
    original_size: Original = False,
    batch_size: Batch = 64,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Encode image files into exact latents."""
    check_outputs([output], images, overwrite=overwrite)
    source = pin(model)  # decode may run elsewhere, and later
    flow, fit = load(source, device=device), _fit(resize, pad, original_size)
    read = [read_image(path, flow, fit) for path in track(images, "reading", console=console)]
    for path, (_, fitted) in zip(images, read, strict=True):
        console.print(f"{path}: {fitted.changes}", soft_wrap=True)
    pixels = [image for image, _ in read]
    latents = _in_batches(
        [tuple(image.shape) for image in pixels],
        batch_size,
        "encoding",
        lambda chosen: flow.encode(torch.stack([pixels[i] for i in chosen]).to(flow.device)),
    )
    sha256 = content_hash(flow.state_dict())
    LatentFile(source, sha256, [fitted for _, fitted in read], latents).save(output)
    console.print(
        f"{len(read)} images encoded, each verified to come back exactly as changed above: "
        f"{output}",
        soft_wrap=True,
    )


@app.command("encode-dataset")
def encode_dataset(
    name: ModelArgument,
    data: Annotated[str, typer.Option(help="Name of the data set.")],
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets' raw files.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Folder for shards and index.")],
    split: Annotated[str, typer.Option(help="test, train, or val if there is one.")] = "test",
    shard_size: Annotated[int, typer.Option(help="Images per shard.", min=1)] = 1000,
    batch_size: Batch = 250,
    strategy: Annotated[str, typer.Option(help="Lightning's, such as ddp.")] = "auto",
    accelerator: Annotated[str, typer.Option(help="Lightning's: cpu, gpu, ...")] = "auto",
    devices: Annotated[str, typer.Option(help="Lightning's: how many processes a node.")] = "auto",
    num_nodes: Annotated[int, typer.Option(help="Nodes.", min=1)] = 1,
) -> None:
    """Encode a whole data set into shards of exact latents; a killed run is taken up again."""
    if split not in ("train", "val", "test"):
        raise typer.BadParameter(f"--split is train, val or test; got {split}.")
    index = require("zoo.training.encoding", "train").encode_dataset(
        name,
        data,
        data_dir,
        output,
        split=split,
        shard_size=shard_size,
        batch_size=batch_size,
        strategy=strategy,
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
    )
    if index is not None:
        console.print(
            f"{index['images']:,} images in {len(index['shards'])} shards, each verified to come "
            f"back exactly, {index['float64']:,} of them by float64, and of these "
            f"{index['kept']:,} by pixels kept in the latents: {output}/",
            soft_wrap=True,
        )


@app.command()
def decode(
    latents: Annotated[Path, typer.Argument(help="File of `flowzoo encode`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the PNG files.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Default: the one that encoded.")
    ] = None,
    batch_size: Batch = 64,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Decode latents into the images that were encoded, as PNG files."""
    file = LatentFile.load(latents)
    flow = load(model or file.model, device=device)
    file.check_model(content_hash(flow.state_dict()))
    # Only the last part of a name: the file may come from anyone.
    names = _distinct([Path(image.name).name for image in file.images])
    paths = [output / f"{name}.png" for name in names]
    check_outputs(paths, [latents], overwrite=overwrite)
    keys = [(image.size, z.dtype) for image, z in zip(file.images, file.latents, strict=True)]
    decoded = _in_batches(
        keys,
        batch_size,
        "decoding",
        lambda chosen: flow.decode(
            torch.stack([file.latents[i] for i in chosen]).to(flow.device),
            file.images[chosen[0]].size,
        ),
    )
    for path, image, fitted in zip(paths, decoded, file.images, strict=True):
        write_image(fitted.restore(image), path)
    console.print(f"{len(paths)} images decoded into {output}/")


@app.command()
def sample(
    name: ModelArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture of the grid.")] = Path(
        "samples.png"
    ),
    count: Annotated[int, typer.Option("-n", "--count", help="Number of images.", min=1)] = 64,
    temperature: Annotated[float, typer.Option(help="Standard deviation of latents.", min=0)] = 0.8,
    size: Annotated[tuple[int, int] | None, typer.Option(help="Height and width.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the latents.", min=0, max=2**63 - 1)] = 0,
    columns: Annotated[int, typer.Option(help="Images in a row.", min=1)] = 8,
    batch_size: Batch = 64,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Draw images and write them as one grid."""
    check_outputs([output], overwrite=overwrite)
    generator = torch.Generator().manual_seed(seed)
    flow = load(name, device=device)
    draw = partial(flow.sample, temperature=temperature, size=size, generator=generator)
    batches = [min(batch_size, count - start) for start in range(0, count, batch_size)]
    images = [draw(n) for n in track(batches, "sampling", console=console)]
    write_grid(torch.cat(images).cpu(), output, columns=min(columns, count))
    console.print(f"{count} samples at temperature {temperature}: {output}")


@app.command()
def interpolate(
    a: Annotated[Path, typer.Argument(metavar="A", help="Image file at one end.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Image file at the other end.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture of the row.")] = Path(
        "interpolation.png"
    ),
    model: ModelOption = DEFAULT_MODEL,
    steps: Annotated[int, typer.Option(help="Images, both ends included.", min=2)] = 8,
    resize: Resize = False,
    pad: Pad = False,
    original_size: Original = False,
    device: Device = "auto",
    overwrite: Overwrite = False,
) -> None:
    """Interpolate between two image files in latent space."""
    check_outputs([output], [a, b], overwrite=overwrite)
    flow, fit = load(model, device=device), _fit(resize, pad, original_size)
    ends = []
    for path in (a, b):
        image, fitted = read_image(path, flow, fit)
        console.print(f"{path}: {fitted.changes}", soft_wrap=True)
        ends.append(image[None].to(flow.device))
    write_grid(flow.interpolate(ends[0], ends[1], steps)[0].cpu(), output, columns=steps)
    console.print(f"{steps} images from {a} to {b}: {output}")


@app.command()
def evaluate(
    name: ModelArgument,
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets' raw files.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: eval.json beside the weights.")
    ] = None,
    n_samples: Annotated[int, typer.Option(help="Draws of the weighted bound.", min=1)] = 4,
    batch_size: Batch = 250,
    seed: Annotated[
        int, typer.Option(help="Seed of dequantization and samples.", min=0, max=2**63 - 1)
    ] = 0,
    device: Device = "auto",
) -> None:
    """Measure bits/dim, exactness and samples on the test split; write eval.json."""
    folder = folder_of(name) if output else _own_folder(name)
    data = require("zoo.training.data", "train")
    from zoo.evaluation.evaluate import evaluate as run
    from zoo.evaluation.exact import hostile_count
    from zoo.evaluation.outliers import OTHERS, compared_sets

    flow, config = load(name, device=device), read_named_config(folder)
    dataset = config["dataset"]
    shape = {"size": flow.config.size, "channels": flow.config.channels}  # of a folder's images
    images = data.load_images(dataset, data_dir, "test", **shape)
    images = spread_levels(images, config.get("grey_levels"))
    others = {}
    for other in OTHERS.get(dataset, ()):
        try:
            others[other] = data.load_images(other, data_dir, "test")
        except DataError as error:
            console.print(f"not compared with {other}: {error}", soft_wrap=True)
    compared = compared_sets(images, others)
    totals = {
        "histogram": sum(map(len, compared.values())),
        "likelihood": len(images),
        "exactness": len(images),
        "hostile": hostile_count(flow, images),
        "samples": 1000,
    }
    with Progress(console=console) as bars:
        tasks = {task: bars.add_task(task, total=total) for task, total in totals.items()}
        result = run(
            flow,
            images,
            compared,
            n_samples=n_samples,
            n_drawn=totals["samples"],
            batch_size=batch_size,
            seed=seed,
            progress=lambda task, count: bars.advance(tasks[task], count),
        )
    identity = {"sha256": content_hash(flow.state_dict()), "dataset": dataset, "split": "test"}
    document = {**identity, **result}
    path = output or folder / EVALUATION
    write_json(path, document)
    console.print_json(data=document)
    hint = f" Render the card: flowzoo card {name}" if output is None else ""
    console.print(f"{path} written.{hint}", soft_wrap=True)


@app.command()
def card(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help=f"{OWN_HELP} Default: all with weights."),
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="Of your weights, such as apache-2.0; kept in config.json.")
    ] = None,
) -> None:
    """Draw the figures of models and render their cards, README.md, from eval.json.

    Without a name also what the README of the repository repeats of them.
    """
    draw_figures = require("zoo.cards.figures", "train").draw_figures
    from zoo.cards import write_card
    from zoo.cards.licences import choose_licence, licence_of
    from zoo.cards.overview import refresh_readme
    from zoo.cards.subject import Subject

    if license and not names:
        raise typer.BadParameter("name the models whose licence this is.")
    for name in names or list_models(pretrained=True):
        folder = _own_folder(name)
        if license:
            choose_licence(folder, license)
        missing = draw_figures(folder)
        write_card(folder)
        console.print(f"{folder}/README.md and its figures written", soft_wrap=True)
        for figure, reason in missing.items():
            console.print(f"no {figure}: {reason}", soft_wrap=True)
        if licence_of(Subject.read(folder)) is None:
            hint = f"Choose one: flowzoo card {name} --license apache-2.0"
            console.print(f"no licence, so others may not use it. {hint}", soft_wrap=True)
    if not names:
        refresh_readme()


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def train(context: typer.Context) -> None:
    """Train a flow: flowzoo train --config recipes/mnist/finc.yaml (--help for all options)."""
    require("zoo.training.cli", "train").train(context.args)


@app.command(
    "train-tabular",
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    },
)
def train_tabular(context: typer.Context) -> None:
    """Train and test a flow of vectors: --config recipes/tabular/conf_patches.yaml."""
    require("zoo.training.cli", "train").train_tabular(context.args)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="Checkpoint of training.")],
    name: Annotated[
        str | None, typer.Option(help="Of the model; default: <architecture>_<dataset>.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="Default: the recipe kept in the checkpoint.")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Raw files, for golden images of the data set.")
    ] = None,
    dataset_title: Annotated[
        str | None, typer.Option(help="What the card calls the data set, such as your folder.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of pictures to show, if the data set's may not be.")
    ] = None,
    pictures_licence: Annotated[
        str | None, typer.Option(help="Whose they are, and under which licence; for the card.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Parent folder.")] = Path("models"),
) -> None:
    """Write a checkpoint's flow as a model folder: weights, config, golden tensors, recipe."""
    folder = require("zoo.training.export", "train").export(
        checkpoint,
        output,
        name=name,
        recipe=recipe,
        data_dir=data_dir,
        dataset_title=dataset_title,
        pictures=pictures,
        pictures_licence=pictures_licence,
    )
    measure = f"flowzoo evaluate local-dir:{folder} --data-dir DATA"
    console.print(f"{folder}/ written. Measure it: {measure}", soft_wrap=True)


@app.command()
def pull(
    source: Annotated[str, typer.Argument(metavar="OWNER/REPO[@REVISION]", help="On the Hub.")],
    cache_dir: Annotated[
        Path | None, typer.Option(help="Default: as HF_HOME and HF_HUB_CACHE say.")
    ] = None,
    local_files_only: Annotated[
        bool, typer.Option("--local-files-only", help="Check what the cache has; fetch nothing.")
    ] = False,
) -> None:
    """Fetch a model from the Hugging Face Hub into the cache and check it."""
    options: dict[str, Any] = {"cache_dir": cache_dir, "local_files_only": local_files_only}
    pinned = pin(f"{HUB}{source.removeprefix(HUB)}", **options)
    flow = load(pinned, **options)
    console.print(f"weights sha256: {content_hash(flow.state_dict())}")
    console.print(f'zoo.load("{pinned}")', soft_wrap=True)


@app.command()
def push(
    source: Annotated[
        str | None, typer.Argument(metavar="NAME|FOLDER", help="A model of the zoo, or its folder.")
    ] = None,
    repo_id: Annotated[
        str | None, typer.Option(metavar="OWNER/REPO", help="Created if missing.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All pretrained models of the zoo, and an index.")
    ] = False,
    owner: Annotated[str | None, typer.Option(help="Of all of them.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Readable by the owner only.")] = False,
    tag: Annotated[str | None, typer.Option(help="Name for the commit, such as v0.1.0.")] = None,
    revision: Annotated[str, typer.Option(help="Branch; created if missing.")] = "main",
) -> None:
    """Check a model's folder, publish it on the Hugging Face Hub and print how to load it."""
    from zoo import publish
    from zoo.cards.facts import GITHUB

    options: dict[str, Any] = {"private": private, "tag": tag, "revision": revision}
    if everything and owner and not (source or repo_id):
        pinned = publish.push_all(owner, **options)
    elif source and repo_id and not (everything or owner):
        folder = folder_of(source) if source in MODELS else Path(source.removeprefix(LOCAL))
        pinned = {publish.push(folder, repo_id, **options): folder}
    else:
        raise typer.BadParameter("pass NAME|FOLDER and --repo-id, or --all and --owner.")
    console.print(f"published; the lines to paste ({GITHUB} is where flowzoo is on GitHub):")
    for where, folder in pinned.items():
        console.print(publish.usage(where, folder), soft_wrap=True)


@app.command()
def demo(
    name: ModelArgument = DEFAULT_MODEL,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for pictures.")] = Path(
        "demo"
    ),
    device: Device = "auto",
) -> None:
    """Show a pretrained model at work, with no data and no network."""
    from zoo.demo import demo as run

    if failures := run(name, output, console, device):
        raise FlowzooError(f"{failures} images did not come back.")


def _version(show: bool) -> None:
    if show:
        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Image normalizing flows with invertible convolutions, and their exact latents."""


def _fit(resize: bool, pad: bool, original_size: bool) -> Fit:
    if resize + pad + original_size > 1:
        raise typer.BadParameter("choose one of --resize, --pad and --original-size.")
    return "pad" if pad else "original" if original_size else "resize"


def _own_folder(name: str) -> Path:
    """Folder of a model, to write into."""
    if name.startswith(HUB):
        raise ArgumentError(
            f"the files of {name} are a cache. Fetch your own, hf download OWNER/REPO --local-dir "
            "DIR, and name them local-dir:DIR; or write elsewhere, evaluate --output FILE."
        )
    return folder_of(name)


def _distinct(names: list[str]) -> list[str]:
    """Number those that occur more than once."""
    distinct: list[str] = []
    for name in names:
        candidates = (f"{name}_{i}" for i in itertools.count(1))
        distinct.append(next(c for c in itertools.chain([name], candidates) if c not in distinct))
    return distinct


def _in_batches(
    keys: list[Any], batch_size: int, task: str, run: Callable[[list[int]], Tensor]
) -> list[Tensor]:
    """Run on batches of indices with equal keys; results in the order of the keys."""
    groups: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        groups.setdefault(key, []).append(i)
    batches = [
        group[start : start + batch_size]
        for group in groups.values()
        for start in range(0, len(group), batch_size)
    ]
    results: dict[int, Tensor] = {}
    for batch in track(batches, task, console=console):
        results.update(zip(batch, run(batch).cpu(), strict=True))
    return [results[i] for i in range(len(keys))]


if __name__ == "__main__":
    main()
