"""`flowzoo pull` and `flowzoo push`: models from and to the Hugging Face Hub."""

from pathlib import Path
from typing import Annotated, Any

import typer

from zoo.cli.common import OWN_HELP, console
from zoo.folder import content_hash
from zoo.sources import HUB, Access, parse


def pull(
    source: Annotated[str, typer.Argument(metavar="NAME", help="hf-hub:OWNER/REPO@REVISION.")],
    cache_dir: Annotated[
        Path | None, typer.Option(help="Default: as HF_HOME and HF_HUB_CACHE say.")
    ] = None,
    local_files_only: Annotated[
        bool, typer.Option("--local-files-only", help="Check what the cache has; fetch nothing.")
    ] = False,
) -> None:
    """Fetch a model from the Hugging Face Hub into the cache and check it."""
    if not source.startswith(HUB):
        raise typer.BadParameter(f"a repository of the Hub is {HUB}OWNER/REPO; got {source}.")
    pinned = parse(source, Access(local_files_only, cache_dir)).pin()
    flow = pinned.load()
    console.print(f"weights sha256: {content_hash(flow.state_dict())}")
    console.print(f'zoo.load("{pinned}")', soft_wrap=True)


def push(
    source: Annotated[str | None, typer.Argument(metavar="NAME", help=OWN_HELP)] = None,
    repo_id: Annotated[
        str | None, typer.Option(metavar="OWNER/REPO", help="Created if missing.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All pretrained models of the zoo, and an index.")
    ] = False,
    owner: Annotated[str | None, typer.Option(help="Owner of all repositories.")] = None,
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
        folder = parse(source).own_folder()
        pinned = {publish.push(folder, repo_id, **options): folder}
    else:
        raise typer.BadParameter("pass NAME and --repo-id, or --all and --owner.")
    console.print(f"published; the lines to paste ({GITHUB} is where flowzoo is on GitHub):")
    for where, folder in pinned.items():
        console.print(publish.usage(where, folder), soft_wrap=True)


def push_space(
    owner: Annotated[str, typer.Option(help="Account of the Hub that it becomes one of.")],
    private: Annotated[bool, typer.Option("--private", help="Seen by the owner only.")] = False,
) -> None:
    """Publish the page of `flowzoo app` as the Space flowzoo of an account."""
    from zoo import publish

    console.print(f"published: {publish.push_space(owner, private=private)}", soft_wrap=True)
