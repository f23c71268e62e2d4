"""Publishing flows on the Hugging Face Hub: checked first, then uploaded, tagged and pinned."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import __version__
from zoo.cards import CARD, render_card, write_card
from zoo.cards.facts import GITHUB
from zoo.cards.front_matter import TASK
from zoo.cards.licences import OURS, check_licence
from zoo.cards.subject import Subject
from zoo.errors import ArgumentError, HubError
from zoo.evaluation.record import EVALUATION, read_evaluation
from zoo.files import write_atomically
from zoo.flow import Flow
from zoo.golden import make_golden
from zoo.hub import HUB, Repository, hub_errors
from zoo.registry import folder_of, list_models
from zoo.weights import content_hash, read_config, save_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi

INDEX = "flowzoo"


def push(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    revision: str = "main",
    token: str | bool | None = None,
) -> str:
    """Publish a model's folder; once more, if it was interrupted. The same content makes no commit.

    Args:
        folder: As `flowzoo export` writes it.
        repo_id: "OWNER/REPO"; created if missing.
        private: Whether only the owner may read it.
        tag: Name for the commit.
        revision: Branch to commit to; created if missing.
        token: Default: HF_TOKEN, or that of `hf auth login`.

    Returns:
        What `zoo.load` takes: "hf-hub:OWNER/REPO@COMMIT".

    Raises:
        FlowzooError: If the folder does not hold what its files claim; nothing is uploaded then.
        HubError: If the Hub refuses, or cannot be reached.
    """
    validate(folder)
    return _upload(folder, repo_id, private=private, tag=tag, revision=revision, token=token)


def push_flow(
    flow: Flow, repo_id: str, dataset: str, license: str | None = None, **options: Any
) -> str:
    """Publish a flow in memory, named as its repository; see `Flow.push_to_hub`."""
    about: dict[str, Any] = {"name": Path(repo_id).name, "dataset": dataset}
    if license is not None:
        about["license"] = check_licence(license)
    if flow.origin and flow.origin["sha256"] != content_hash(flow.state_dict()):
        about["parent"] = flow.origin
    with tempfile.TemporaryDirectory() as folder:
        save_folder(flow, Path(folder), about)
        make_golden(flow).save(Path(folder))
        write_card(Path(folder))
        return push(Path(folder), repo_id, **options)


def push_all(owner: str, **options: Any) -> dict[str, Path]:
    """Publish every pretrained model of the zoo as OWNER/NAME, and OWNER/flowzoo as their index.

    All of them are validated before the first is uploaded. Options and errors as for `push`.

    Returns:
        The models' folders, by what `zoo.load` takes.
    """
    folders = [folder_of(name) for name in list_models(pretrained=True)]
    for folder in folders:
        validate(folder)
    pinned = {_upload(folder, f"{owner}/{folder.name}", **options): folder for folder in folders}
    with tempfile.TemporaryDirectory() as index:
        write_atomically(Path(index) / CARD, index_card(pinned).encode())
        _upload(Path(index), f"{owner}/{INDEX}", **options)
    return pinned


def validate(folder: Path) -> None:
    """Raise unless the weights, golden tensors, evaluation and card of a folder belong together."""
    subject = Subject.read(folder)
    subject.golden.check(subject.flow)
    card = folder / CARD
    if not card.is_file() or card.read_text() != render_card(folder):
        raise ArgumentError(
            f"{card} is not the card of these files: flowzoo card local-dir:{folder}."
        )


def usage(pinned: str, folder: Path) -> str:
    """The lines that load a published folder, to paste."""
    architecture = read_config(folder)["architecture"]
    arguments = f'"{architecture}", weights="{pinned}", trust_repo=True'
    return (
        f'torch.hub.load("{GITHUB}:v{__version__}", {arguments})\n'
        f'zoo.load("{pinned}")\n'
        f"flowzoo sample {pinned}"
    )


def index_card(pinned: Mapping[str, Path]) -> str:
    """The card that lists models: their folders, by what `zoo.load` takes."""
    from huggingface_hub import ModelCardData

    about = ModelCardData(
        license=OURS,
        library_name="flowzoo",
        pipeline_tag=TASK,
        tags=["normalizing-flow", "invertible-convolution", "pytorch"],
    )
    rows = "\n".join(_index_row(source, folder) for source, folder in pinned.items())
    return (
        f"---\n{about.to_yaml()}\n---\n\n# flowzoo\n\n"
        "Normalizing flows of images with invertible convolutions. Encode an image into its exact "
        "latents and get the same image back, bit for bit.\n\n"
        f"| model | bits/dim (test) | exact | load |\n| --- | --- | --- | --- |\n{rows}\n"
    )


def _index_row(pinned: str, folder: Path) -> str:
    measured = read_evaluation(folder)
    assert measured is not None, f"{folder} was published without an evaluation"
    return (
        f"| [{folder.name}](/{Repository.parse(pinned).repo_id}) "
        f"| {measured['bits_per_dim']:.3f} | {measured['exact_share']:.0%} "
        f'| `zoo.load("{pinned}")` |'
    )


def _upload(
    folder: Path,
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    revision: str = Repository.revision,
    token: str | bool | None = None,
) -> str:
    repository = Repository.parse(f"{HUB}{repo_id}@{revision}")
    with hub_errors(repository, "the upload"):
        from huggingface_hub import HfApi

        api = HfApi(token=token, library_name="flowzoo")
        api.create_repo(repo_id, private=private, exist_ok=True)
        if private and not api.model_info(repo_id).private:
            raise HubError(f"{repo_id} is public. Make it private on its page, or push publicly.")
        if revision != Repository.revision:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        uploaded = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message="flowzoo push",
            ignore_patterns=[".*"],
            delete_patterns=[EVALUATION],  # of other weights, if this folder has none
        )
        commit = api.model_info(repo_id, revision=revision).sha
        if commit is None or commit != uploaded.oid:
            raise HubError(f"somebody else pushed to {repository} just now. Push again.")
        if tag is not None:
            _tag(api, repo_id, tag, commit)
    return f"{HUB}{Repository(repo_id, commit)}"


def _tag(api: "HfApi", repo_id: str, tag: str, commit: str) -> None:
    there = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    if tag not in there:
        api.create_tag(repo_id, tag=tag, revision=commit)
    elif there[tag] != commit:
        raise HubError(
            f"tag {tag} of {repo_id} is commit {there[tag]} already; what was pushed is {commit}. "
            "Choose another tag."
        )
