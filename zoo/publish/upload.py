"""Files into a repository of the Hugging Face Hub: what differs, in one commit, tagged."""

import hashlib
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import ArgumentError, HubError
from zoo.sources.hub import HUB, Repository, hub_errors

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    from huggingface_hub.hf_api import RepoFile

TAG = re.compile(r"(?!.*(\.\.|\.lock$|\.$))\w[\w.+-]{0,99}", re.ASCII)
Files = Mapping[str, Path | bytes]


def upload(
    files: Files,
    owned: Collection[str],
    repo_id: str,
    *,
    private: bool = False,
    tag: str | None = None,
    revision: str = Repository.revision,
    token: str | bool | None = None,
) -> str:
    """Let a branch hold these files, and none other of those owned; options as for `publish.push`.

    Returns:
        What `zoo.load` takes: "hf-hub:OWNER/REPO@COMMIT".

    Raises:
        UnknownModelError: If the id is none of a repository.
        ArgumentError: If the tag can be none.
        HubError: If the Hub refuses, or cannot be reached.
    """
    repository = Repository.parse(f"{HUB}{repo_id}@{revision}")
    if tag is not None and not TAG.fullmatch(tag):
        raise ArgumentError(f"{tag!r} can be no tag. Name one such as v0.1.0.")
    with hub_errors(repository, "the upload"):
        from huggingface_hub import HfApi

        api = HfApi(token=token, library_name="flowzoo")
        _open(api, repository, private)
        head, changes = _head(api, repository), _changes(api, repository, files, owned)
        tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
        if tag in tags and (changes or tags[tag] != head):
            raise HubError(
                f"tag {tag} of {repo_id} is commit {tags[tag]} already, and this would be another "
                "one. Choose another tag."
            )
        commit = _commit(api, repository, changes, head) if changes else head
        if tag is not None and tag not in tags:
            api.create_tag(repo_id, tag=tag, revision=commit)
    return f"{HUB}{Repository(repo_id, commit)}"


def _open(api: "HfApi", repository: Repository, private: bool) -> None:
    """Create the repository and the branch if they are missing."""
    repo_id, branch = repository.repo_id, repository.revision
    api.create_repo(repo_id, private=private, exist_ok=True)
    if private and not api.model_info(repo_id).private:
        raise HubError(f"{repo_id} is public. Make it private on its page, or push publicly.")
    if branch != Repository.revision:
        api.create_branch(repo_id, branch=branch, exist_ok=True)


def _head(api: "HfApi", repository: Repository) -> str:
    """The commit that a branch is at."""
    return str(api.model_info(repository.repo_id, revision=repository.revision).sha)


def _changes(
    api: "HfApi", repository: Repository, files: Files, owned: Collection[str]
) -> list["CommitOperationAdd | CommitOperationDelete"]:
    """The files to add, because they are missing or other ones there, and those to delete."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.hf_api import RepoFile

    tree = api.list_repo_tree(repository.repo_id, revision=repository.revision)
    there = {file.path: file for file in tree if isinstance(file, RepoFile)}
    additions = [CommitOperationAdd(name, content) for name, content in files.items()]
    return [
        *(add for add in additions if not _is_same(add, there.get(add.path_in_repo))),
        *(CommitOperationDelete(name) for name in owned if name in there and name not in files),
    ]


def _is_same(addition: "CommitOperationAdd", there: "RepoFile | None") -> bool:
    """Whether a file of a repository has this content, by the hash of LFS or that of git."""
    if there is None:
        return False
    if there.lfs is not None:
        return addition.upload_info.sha256.hex() == there.lfs.sha256
    with addition.as_file() as file:
        data = file.read()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == there.blob_id


def _commit(
    api: "HfApi",
    repository: Repository,
    changes: list["CommitOperationAdd | CommitOperationDelete"],
    parent: str,
) -> str:
    """Commit, and read back what the branch is at then."""
    made = api.create_commit(
        repository.repo_id,
        changes,
        revision=repository.revision,
        parent_commit=parent,
        commit_message="flowzoo push",
    )
    if _head(api, repository) != made.oid:
        raise HubError(f"somebody else pushed to {repository} just now. Push again.")
    return made.oid
