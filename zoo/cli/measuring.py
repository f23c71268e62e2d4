"""`flowzoo evaluate` and `flowzoo card`: measure a model, and describe it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from torch import Tensor

from zoo.cli import common
from zoo.cli.common import OWN_HELP, check_splits, console
from zoo.cli.outputs import check_outputs
from zoo.data import Splits, find_image_set, load_images
from zoo.data.labels import class_numbers, read_labels
from zoo.devices import find_device
from zoo.errors import DataError, require
from zoo.files import user_path, write_json
from zoo.flow import Flow
from zoo.folder import ModelFolder, content_hash, identity
from zoo.images import spread_levels
from zoo.sources import list_models, parse

SAMPLES = 1000


def evaluate(
    name: common.ModelArgument,
    data_dir: Annotated[Path, typer.Option(help="Folder of the data sets' raw files.")],
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: eval.json beside the weights.")
    ] = None,
    n_samples: Annotated[int, typer.Option(help="Draws of the weighted bound.", min=1)] = 4,
    batch_size: common.Batch = 250,
    seed: Annotated[
        int, typer.Option(help="Seed of dequantization and samples.", min=0, max=2**63 - 1)
    ] = 0,
    every: Annotated[
        int,
        typer.Option(help="Measure every N-th image only: crops of photographs are many.", min=1),
    ] = 1,
    splits: common.Splits = "folders",
    device: common.Device = "auto",
    overwrite: common.Overwrite = False,
) -> None:
    """Measure bits/dim, exactness and samples on the test split; write eval.json."""
    from zoo.data.catalogue import FOLDER, PHOTOS
    from zoo.evaluation.codecs import codec_bits
    from zoo.evaluation.outliers import compared_sets

    chosen = check_splits(splits)
    if output is not None:
        check_outputs([output], overwrite=overwrite)
    source = parse(name)
    folder = source.own_folder() if output is None else source.folder()
    flow, dataset = source.load().to(find_device(device)), folder.dataset
    images, labels = _test_split(flow, folder, data_dir, every, chosen)
    compared = compared_sets(images, _others(dataset, data_dir))
    protocol = {"n_samples": n_samples, "batch_size": batch_size, "seed": seed}
    document = {
        "sha256": content_hash(flow.state_dict()),
        "identity": identity(flow),
        "dataset": dataset,
        "split": "test",
        "every": every,
        **_measured(flow, images, compared, labels, **protocol),
        **({"codecs": codec_bits(images)} if dataset in (FOLDER, PHOTOS) else {}),
    }
    if output is None:
        path = folder.write_evaluation(document)
    else:
        path = output
        write_json(path, document)
    console.print_json(data=document)
    hint = f" Render the card: flowzoo card {name}" if output is None else ""
    console.print(f"{path} written.{hint}", soft_wrap=True)


def _test_split(
    flow: Flow, folder: ModelFolder, data_dir: Path, every: int, splits: Splits
) -> tuple[Tensor, Tensor | None]:
    """Every N-th test image, and its class by the flow's names, for a flow with classes."""
    size, channels = flow.config.size, flow.config.channels  # of a folder's images
    image_set = find_image_set(folder.dataset, size, channels, splits)
    images = image_set.load(user_path(data_dir), "test")[::every]
    images = spread_levels(images, folder.config.get("grey_levels"))
    if not flow.config.classes:
        return images, None
    names = folder.config.get("class_names") or range(flow.config.classes)
    labels = class_numbers(read_labels(image_set, user_path(data_dir), "test"), names)
    return images, labels[::every]


def _others(dataset: str, data_dir: Path) -> dict[str, Tensor]:
    """Test images of the data sets that a data set is compared with, as far as they are there."""
    from zoo.evaluation.outliers import OTHERS

    found = {}
    for other in OTHERS.get(dataset, ()):
        try:
            found[other] = load_images(other, data_dir, "test")
        except DataError as error:
            console.print(f"not compared with {other}: {error}", soft_wrap=True)
    return found


def _measured(
    flow: Flow, images: Tensor, compared: dict[str, Tensor], labels: Tensor | None, **protocol: int
) -> dict[str, Any]:
    """The evaluation, with a bar for each of its parts."""
    from zoo.evaluation.evaluate import evaluate as run
    from zoo.evaluation.hostile import hostile_count

    totals = {
        "histogram": sum(map(len, compared.values())),
        "likelihood": len(images),
        **({} if labels is None else {"classes": len(images)}),
        "exactness": len(images),
        "hostile": hostile_count(flow, images),
        "samples": SAMPLES,
    }
    with Progress(console=console) as bars:
        tasks = {task: bars.add_task(task, total=total) for task, total in totals.items()}
        return run(
            flow,
            images,
            compared,
            labels=labels,
            n_drawn=SAMPLES,
            progress=lambda task, count: bars.advance(tasks[task], count),
            **protocol,
        )


def card(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help=f"{OWN_HELP} Default: all with weights."),
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="Licence of your weights, such as apache-2.0.")
    ] = None,
) -> None:
    """Draw the figures of models and render their cards, README.md, from eval.json.

    Without a name also what the README and docs/papers.md repeat of them.
    """
    draw_figures = require("zoo.cards.figures", "train").draw_figures
    from zoo.cards import write_card
    from zoo.cards.licences import choose_licence, licence_of
    from zoo.cards.overview import refresh_pages
    from zoo.cards.subject import Subject

    if license and not names:
        raise typer.BadParameter("name the models whose licence this is.")
    for name in names or list_models(pretrained=True):
        folder = parse(name).own_folder()
        if license:
            choose_licence(folder, license)
        missing = draw_figures(folder)
        write_card(folder)
        console.print(f"{folder.path}/README.md and its figures written", soft_wrap=True)
        for figure, reason in missing.items():
            console.print(f"no {figure}: {reason}", soft_wrap=True)
        if licence_of(Subject.read(folder)) is None:
            hint = f"Choose one: flowzoo card {name} --license apache-2.0"
            console.print(f"no licence, so others may not use it. {hint}", soft_wrap=True)
    if not names:
        refresh_pages()
