import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.folders import save_folder
from tests.hub.client import Client, Outcome
from tests.hub.server import Hub
from tests.test_flow import tiny
from zoo.folder import content_hash

# What the client keeps beside the files of models.
NOTES = {"refs", ".no_exist", ".locks", "CACHEDIR.TAG", ".huggingface-shared-blobs"}
NOTES |= {".refs", ".lock"}  # suffixes, beside content that came through Xet


# How files travel. Xet is the client's default.
PATHS = {"lfs": {"HF_HUB_DISABLE_XET": "1"}, "xet": {}}
# How a user stays offline by choice: options of zoo.load, and environment.
BY_CHOICE = {
    "local_files_only": ("local_files_only=True", {}),
    "HF_HUB_OFFLINE": ("", {"HF_HUB_OFFLINE": "1"}),
}
FILES = ("config.json", "model.safetensors")
# Of the weights in `folder`.
SHA256 = content_hash(tiny().state_dict())


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path / "hub")
    yield hub
    hub.shutdown()
    hub.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny flow's config.json and model.safetensors."""
    save_folder(tiny(), tmp_path / "model", {"name": "tiny", "dataset": "digits"})
    return tmp_path / "model"


@dataclass(frozen=True)
class Machine:
    """Somebody's computer: an empty working directory and an empty HF_HOME."""

    client: Client
    folder: Path
    endpoint: str

    @property
    def cache(self) -> Path:
        return self.folder / "home" / "hub"

    def run(self, code: str, **environment: str) -> Outcome:
        home = {"HF_HOME": str(self.folder / "home"), "HF_ENDPOINT": self.endpoint}
        return self.client.run(code, self.folder, **{**home, **environment})

    def load(self, source: str, options: str = "", **environment: str) -> Outcome:
        """The content hash of what zoo.load returns."""
        return self.run(
            "import zoo; from zoo.folder import content_hash\n"
            f"value = content_hash(zoo.load({source!r}, {options}).state_dict())",
            **environment,
        )

    def command(self, *arguments: object, **environment: str) -> Outcome:
        code = f"import sys, zoo.cli; sys.argv = {['flowzoo', *map(str, arguments)]}; "
        return self.run(code + "zoo.cli.main()", **environment)

    def commit(self, folder: Path, **environment: str) -> str:
        """Put a folder on the Hub as it is with its own client, through Xet if it may; the commit.

        The repository is alice/flow.
        """
        outcome = self.run(
            "from huggingface_hub import HfApi\napi = HfApi(token='hf_alice')\n"
            "api.create_repo('alice/flow', exist_ok=True)\n"
            f"value = api.upload_folder(repo_id='alice/flow', folder_path={str(folder)!r}).oid",
            **environment,
        )
        return outcome.value

    def left(self) -> set[str]:
        """Names of the files of models in the cache, and anything that should not be there."""
        files = [path for path in self.folder.rglob("*") if path.is_file() or path.is_symlink()]
        models = [path for path in files if "snapshots" in path.parts]
        used = {path.resolve() for path in models}
        found = {path.name for path in models}
        for path in set(files) - set(models):
            place = path.relative_to(self.folder)
            noted = NOTES & {*place.parts, path.suffix}
            if place.parts[0] == "home" and place.parts[1] != "hub":
                continue  # logs and the like
            if not noted and (path.resolve() not in used or not _is_whole(path)):
                found.add(str(place))
        return found


def _is_whole(path: Path) -> bool:
    """Whether a blob has the content that its name says.

    Through Xet it is a link, named so as well, to content with a name of Xet's own.
    """
    if path.parents[1].name == "blobs":
        return True
    data = path.read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return path.name in (git, hashlib.sha256(data).hexdigest())


@pytest.fixture
def machine(client: Client, hub: Hub, tmp_path: Path) -> Machine:
    (tmp_path / "machine").mkdir()
    return Machine(client, tmp_path / "machine", hub.url)


@pytest.fixture
def elsewhere(client: Client, hub: Hub, tmp_path: Path) -> Machine:
    """Somebody else's."""
    (tmp_path / "elsewhere").mkdir()
    return Machine(client, tmp_path / "elsewhere", hub.url)
