"""Flows on the Hugging Face Hub: config.json first, the weights only if it describes a flow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from zoo.architectures import config_from_json
from zoo.errors import FlowzooError, HubError, UnknownModelError
from zoo.flow import Flow
from zoo.folder import ModelFolder
from zoo.folder.model_folder import CONFIG, MOST_CONFIG, WEIGHTS
from zoo.folder.weights import most_bytes
from zoo.sources.patience import MOST, patience

HUB = "hf-hub:"
SOURCE = re.compile(rf"{HUB}([\w.-]+/[\w.-]+)(?:@(\w[\w.+/-]*))?")
COMMIT = re.compile("[0-9a-f]{40}")
ANSWERS = {
    401: "{refused}",
    403: "{refused}",
    404: "has no such page",
    405: "allows no such request",
    429: "has had too many requests",
}
LOGIN = "With a token that may: token=, HF_TOKEN, or hf auth login."


@dataclass(frozen=True)
class Repository:
    """A repository of the Hub at a revision: a branch, a tag or a commit."""

    repo_id: str
    revision: str = "main"

    @classmethod
    def parse(cls, source: str) -> "Repository":
        """Read "hf-hub:OWNER/REPO@REVISION"; without a revision it is main."""
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

        match = SOURCE.fullmatch(source)
        try:
            if match is None or ".." in source:
                raise HFValidationError
            validate_repo_id(match[1])
        except HFValidationError as error:
            raise UnknownModelError(
                f"{source!r} names no repository of the Hub. Write {HUB}OWNER/REPO@REVISION."
            ) from error
        return cls(match[1], match[2] or cls.revision)

    def __str__(self) -> str:
        return f"{self.repo_id}@{self.revision}"


@dataclass(frozen=True)
class Access:
    """Access to files of the Hub.

    Attributes:
        local_files_only: Take them from the cache.
        cache_dir: Default: the cache of huggingface_hub, as HF_HOME and HF_HUB_CACHE say.
        token: Default: HF_TOKEN, or that of `hf auth login`; False sends none.
    """

    local_files_only: bool = False
    cache_dir: str | Path | None = None
    token: str | bool | None = None


def load(repository: Repository, access: Access) -> Flow:
    """Load a flow of the Hub; errors as for `pull`.

    Raises:
        WeightsError: If the weights are not the announced ones, or not of the described flow.
    """
    folder = pull(repository, access)
    with _dropping(folder, CONFIG, WEIGHTS, keep=access.local_files_only):
        return folder.load(name=f"{HUB}{at_commit(repository, folder)}")


def pull(repository: Repository, access: Access) -> ModelFolder:
    """The folder of the cache with config.json and model.safetensors of one commit.

    The weights are asked for only when config.json describes a flow of an acceptable size, and at
    the commit that config.json came from. A full commit that is cached makes no request. What is
    refused is deleted from the cache, so that the next call gets it again; not offline, nor with
    local_files_only.

    Raises:
        HubError: If a file is not there, not to be had, or cannot be stored.
        ConfigError: If config.json describes no flow of this version, or an absurdly large one,
            or a file is larger than any of such a flow.
    """
    folder = ModelFolder(_fetch(repository, CONFIG, access, MOST_CONFIG).parent)
    with _dropping(folder, CONFIG, keep=access.local_files_only):
        most = most_bytes(config_from_json(folder.config))
    return ModelFolder(_fetch(at_commit(repository, folder), WEIGHTS, access, most).parent)


def at_commit(repository: Repository, folder: ModelFolder) -> Repository:
    """The repository at the commit of a folder: the cache has one for each."""
    return Repository(repository.repo_id, folder.path.name)


def _fetch(repository: Repository, file: str, access: Access, most: int) -> Path:
    with hub_errors(repository, file, most):
        from huggingface_hub import errors, hf_hub_download, try_to_load_from_cache

        repo, revision = repository.repo_id, repository.revision
        # Not left to the download: it may ask the Hub for user agents before it looks here.
        if access.local_files_only or COMMIT.fullmatch(revision):
            cached = try_to_load_from_cache(repo, file, access.cache_dir, revision)
            if isinstance(cached, str):
                return Path(cached)
        if access.local_files_only:
            raise errors.LocalEntryNotFoundError(file)
        path = hf_hub_download(
            repo,
            file,
            revision=revision,
            cache_dir=access.cache_dir,
            token=access.token,
            library_name="flowzoo",
        )
    return Path(path)


@contextmanager
def _dropping(folder: ModelFolder, *files: str, keep: bool) -> Iterator[None]:
    """Delete files from the cache if they are refused; not offline, nor if they are to be kept."""
    from huggingface_hub import constants

    try:
        yield
    except FlowzooError:
        if not (keep or constants.HF_HUB_OFFLINE):
            for file in files:
                _drop(folder.path / file)
        raise


def _drop(file: Path) -> None:
    """Delete a file of a commit with its content and the links to it, those of other commits too.

    Best effort: the cache may be read-only.
    """
    repo, content = file.parents[2], file.resolve()  # CACHE/REPO/snapshots/COMMIT/FILE
    with suppress(OSError):
        for link in (*repo.glob(f"snapshots/*/{file.name}"), *repo.glob("blobs/*")):
            if link.resolve() == content:
                link.unlink()
        # Content that came through Xet lies outside of the repository, for others to share.
        if content.is_relative_to(repo.parent.resolve()):
            content.unlink(missing_ok=True)


@contextmanager
def hub_errors(repository: Repository, file: str, most: int = MOST) -> Iterator[None]:
    """Turn whatever the Hub's client raises about a file into a HubError of one line.

    The file may have `most` bytes.
    """
    try:
        with patience(f"{file} of {repository}", most):
            yield
    except FlowzooError:
        raise
    except Exception as error:
        # The endpoint may hold a password.
        text = re.sub(r"//[^/\s]*@", "//", _explain(error, repository, file))
        raise HubError(text) from error


def _explain(error: Exception, repository: Repository, file: str) -> str:
    from huggingface_hub import constants, errors

    repo, hub, cause = repository.repo_id, constants.ENDPOINT, error.__cause__
    status = _status(error) or _status(cause)
    other = isinstance(cause, errors.FileMetadataError)
    if isinstance(error, errors.LocalEntryNotFoundError) and (status or other):
        # The Hub was asked, and what it said is in the cause alone.
        return _answered(f"{file} of {repository}", hub, status, error)
    for kind, text in {
        errors.GatedRepoError: f"{repo} is gated. Ask for access at {hub}/{repo}. {LOGIN}",
        errors.RepositoryNotFoundError: f"{hub} has no {repo}, or keeps it private. {LOGIN}",
        errors.RevisionNotFoundError: f"{repo} has no revision {repository.revision}. Its tags and "
        f"branches are at {hub}/{repo}.",
        errors.RemoteEntryNotFoundError: f"{repository} has no {file}: it is not a model's folder "
        "as flowzoo push writes it.",
        errors.LocalEntryNotFoundError: f"{file} of {repository} is not in the cache, and {hub} "
        "was not asked or did not answer. Connect, without local_files_only and HF_HUB_OFFLINE.",
    }.items():
        if isinstance(error, kind):
            return text
    if status in ANSWERS:
        return _answered(repo, hub, status, error)
    reason = " ".join(str(error).split())
    return (
        f"{file} of {repository} did not come through ({type(error).__name__}: {reason}). Mend "
        "that and try again."
    )


def _answered(what: str, hub: str, status: int | None, error: Exception) -> str:
    """The fault that a status of the Hub tells of, or an answer from something in its place."""
    if status is None:
        return (
            f"{hub} does not answer {what} as a Hub: it may be a page to log in to the network, or "
            "a wrong HF_ENDPOINT. Open it in a browser."
        )
    refused = "refuses the token" if _sent_token(error.__cause__ or error) else "wants a token"
    kind = ANSWERS.get(status, "is out of order" if status >= 500 else "refuses")
    advice = LOGIN if status in (401, 403) else "Try again later, or mend HF_ENDPOINT."
    return f"{hub} {kind.format(refused=refused)} for {what} (HTTP {status}). {advice}"


def _status(error: BaseException | None) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _sent_token(error: BaseException) -> bool:
    request = getattr(getattr(error, "response", None), "request", None)
    return "authorization" in getattr(request, "headers", {})
