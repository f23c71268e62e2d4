"""The page in the browser as a Space of the Hugging Face Hub."""

from typing import Any

from zoo import __version__
from zoo.cards.facts import GITHUB
from zoo.sources import HUB, list_models
from zoo.sources.hub import Repository, hub_errors
from zoo.sources.names import PACKAGE

FILES = ("README.md", "app.py", "requirements.txt")
NAME = "flowzoo"


def push_space(owner: str, *, private: bool = False, token: str | bool | None = None) -> str:
    """Publish the page as the Space flowzoo of an account; the same content makes no commit.

    Its front matter names the pretrained models as those of the owner. It installs this version of
    flowzoo from GitHub, with the weights in it.

    Args:
        owner: Account of the Hub.
        private: Whether only the owner may see it, if it is new.
        token: Default: HF_TOKEN, or that of `hf auth login`.

    Returns:
        Address of the commit.

    Raises:
        UnknownModelError: If the owner can be none.
        HubError: If the Hub refuses, or cannot be reached.
    """
    repository = Repository.parse(f"{HUB}{owner}/{NAME}")
    with hub_errors(repository, "the upload"):
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi(token=token, library_name=NAME)
        options: dict[str, Any] = {"repo_id": repository.repo_id, "repo_type": "space"}
        api.create_repo(**options, space_sdk="gradio", private=private, exist_ok=True)
        operations = [CommitOperationAdd(name, text) for name, text in files(owner).items()]
        commit = api.create_commit(**options, operations=operations, commit_message="flowzoo push")
    return str(commit.commit_url)


def files(owner: str) -> dict[str, bytes]:
    """The files of the Space of an owner, by name."""
    from huggingface_hub import RepoCard

    installed = PACKAGE / "space"
    folder = installed if installed.is_dir() else PACKAGE.parent / "space"
    texts = {name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    card = RepoCard(texts["README.md"])
    card.data["models"] = [f"{owner}/{name}" for name in list_models(pretrained=True)]
    texts["README.md"] = str(card)
    texts["requirements.txt"] = requirement()
    return {name: text.encode() for name, text in texts.items()}


def requirement() -> str:
    """The line that installs this version with what the page needs."""
    return f"flowzoo[app] @ git+https://github.com/{GITHUB}@v{__version__}\n"
