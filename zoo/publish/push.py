"""Publishing flows on the Hugging Face Hub: checked first, then uploaded, tagged and pinned."""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo import __version__
from zoo.cards import render, save_flow
from zoo.cards.facts import GITHUB
from zoo.cards.front_matter import TASK
from zoo.cards.licences import OURS
from zoo.cards.markdown import percent, table
from zoo.cards.notebook import render_notebook
from zoo.cards.subject import Subject
from zoo.errors import ArgumentError, NotInvertibleError
from zoo.evaluation.hostile import round_trips
from zoo.exact.patterns import hard_images
from zoo.flow import Flow
from zoo.folder import ModelFolder
from zoo.folder.golden import DO_NOT_PUBLISH
from zoo.folder.model_folder import CARD, FILES, NOTEBOOK
from zoo.publish.upload import upload
from zoo.sources import HUB, MODELS, list_models
from zoo.sources.hub import Repository

INDEX = "flowzoo"


def push(
    folder: ModelFolder,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    revision: str = "main",
    token: str | bool | None = None,
) -> str:
    """Publish a model's folder; once more, if it was interrupted. The same content makes no commit.

    The card is uploaded with the name of the repository in its lines to paste. Other files than a
    model's are not uploaded; a model's files that the folder lacks are deleted from the repository.

    Args:
        folder: As `flowzoo export` writes it.
        repo_id: "OWNER/REPO"; created if missing.
        private: Whether only the owner may read it.
        tag: Name for the commit; one that another commit has already is refused.
        revision: Branch to commit to; created if missing.
        token: Default: HF_TOKEN, or that of `hf auth login`.

    Returns:
        What `zoo.load` takes: "hf-hub:OWNER/REPO@COMMIT".

    Raises:
        FlowzooError: If the folder does not hold what its files claim; nothing is uploaded then.
        HubError: If the Hub refuses, or cannot be reached.
    """
    subject = validate(folder)
    return _upload(subject, repo_id, private=private, tag=tag, revision=revision, token=token)


def push_flow(
    flow: Flow, repo_id: str, dataset: str, license: str | None = None, **options: Any
) -> str:
    """Publish a flow in memory, named as its repository; see `Flow.push_to_hub`."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent, Path(repo_id).name)
        saved = save_flow(flow, folder, dataset=dataset, license=license)
        return push(saved, repo_id, **options)


def push_all(owner: str, **options: Any) -> dict[str, ModelFolder]:
    """Publish every pretrained model of the zoo as OWNER/NAME, and an index of them.

    All of them are validated before the first is uploaded. Errors are as for `push`.

    Args:
        owner: Account of the Hub.
        **options: Options of `push`.

    Returns:
        The models' folders, by what `zoo.load` takes.
    """
    models = [validate(MODELS[name].folder) for name in list_models(pretrained=True)]
    pinned = {
        _upload(model, f"{owner}/{model.folder.name}", **options): model.folder for model in models
    }
    upload({CARD: index_card(pinned).encode()}, [CARD], f"{owner}/{INDEX}", **options)
    return pinned


def validate(folder: ModelFolder) -> Subject:
    """The model of a folder, if its weights, golden tensors, evaluation and card belong together.

    Raises:
        FlowzooError: If they do not, or an image does not come back.
    """
    _check_links(folder)
    subject = Subject.read(folder)
    subject.golden.check(subject.flow)
    _check_hard_images(subject.flow)
    if folder.text(CARD) != render(subject):
        raise ArgumentError(
            f"{folder.path / CARD} is not the card of these files: "
            f"flowzoo card local-dir:{folder.path}."
        )
    return subject


def _check_links(folder: ModelFolder) -> None:
    """Raise ArgumentError if a file is a link to one elsewhere, which may be nobody's to see."""
    for name, path in folder.present().items():
        if path.resolve() != folder.path.resolve() / name:
            raise ArgumentError(f"{path} is a link. Put the file itself there.")


def _check_hard_images(flow: Flow) -> None:
    """Raise NotInvertibleError unless every hard image comes back, in float64 at the latest."""
    images = hard_images(flow.config.channels, flow.config.size)
    trips = round_trips(flow, images, len(images), "", lambda task, count: None)
    if lost := len(images) - trips.exact + trips.kept:
        raise NotInvertibleError(
            f"{lost} of {len(images)} hard images do not come back in float64. {DO_NOT_PUBLISH}"
        )


def usage(pinned: str, folder: ModelFolder) -> str:
    """The lines that load a published folder from its pinned source, to paste."""
    arguments = f'"{folder.architecture}", weights="{pinned}", trust_repo=True'
    return (
        f'torch.hub.load("{GITHUB}:v{__version__}", {arguments})\n'
        f'zoo.load("{pinned}")\n'
        f"flowzoo sample {pinned}"
    )


def index_card(pinned: Mapping[str, ModelFolder]) -> str:
    """The card that lists models: their folders, by what `zoo.load` takes."""
    from huggingface_hub import ModelCardData

    about = ModelCardData(
        license=OURS,
        library_name="flowzoo",
        pipeline_tag=TASK,
        tags=["normalizing-flow", "invertible-convolution", "pytorch"],
    )
    heads = ("model", "bits/dim (test)", "exact", "load")
    rows = [_index_row(source, folder) for source, folder in pinned.items()]
    return (
        f"---\n{about.to_yaml()}\n---\n\n# flowzoo\n\n"
        "Normalizing flows of images with invertible convolutions. Encode an image into its exact "
        "latents and get the same image back, bit for bit.\n\n"
        f"{table(heads, rows)}\n"
    )


def _index_row(pinned: str, folder: ModelFolder) -> tuple[str, ...]:
    measured = folder.evaluation
    assert measured is not None, f"{folder} was published without an evaluation"
    return (
        f"[{folder.name}](/{Repository.parse(pinned).repo_id})",
        f"{measured['bits_per_dim']:.3f}",
        percent(measured["exact_share"]),
        f'`zoo.load("{pinned}")`',
    )


def _upload(subject: Subject, repo_id: str, **options: Any) -> str:
    """Upload a model's files, with a card and a notebook that name the repository."""
    repo_id = repo_id.removeprefix(HUB)
    there = subject.folder.present()
    named = dataclasses.replace(subject, repo_id=repo_id)
    rendered = {CARD: render(named).encode(), NOTEBOOK: render_notebook(named).encode()}
    return upload({**there, **rendered}, FILES, repo_id, **options)
