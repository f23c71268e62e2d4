"""A Hub on this machine: the part of its HTTP API that the real client uses to push and pull.

Repositories are kept in memory; only what is uploaded through Xet lies in a folder, written and
read by hf_xet itself (`local://FOLDER`). Every request is recorded, and faults can be ordered.
"""

import base64
import hashlib
import json
import re
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

TOKENS = {"hf_alice": "alice", "hf_bob": "bob"}
NEVER = 2**33  # when tokens expire


class File(NamedTuple):
    """A file of a commit: its git or LFS id, its size and whether it is LFS."""

    oid: str
    size: int
    lfs: bool


@dataclass
class Repo:
    owner: str
    private: bool
    gated: bool = False
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)  # heads/main, tags/v1 -> commit

    def commit(self, files: dict[str, File], branch: str = "main") -> str:
        text = json.dumps([files, len(self.commits)])
        commit = hashlib.sha1(text.encode()).hexdigest()
        self.commits[commit] = files
        self.refs[f"heads/{branch}"] = commit
        return commit


class RefusedError(Exception):
    """An answer that is an error: status, message and the Hub's error code."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}


def fail(status: int = 500) -> None:
    raise RefusedError(status, "Something went wrong")


def nothing() -> None:
    pass


class Request(NamedTuple):
    method: str
    path: str
    range: str | None


class Hub(ThreadingHTTPServer):
    """The server.

    Attributes:
        repos: By name, such as alice/flow.
        objects: Content by git or LFS id.
        requests: Everything that was asked.
        cuts: Number of the next downloads of an LFS file that break off in the middle.
        before: Functions called before routes do their work, such as `fail`.
        after_commit: Function called as soon as a commit is made.
        commit_header: Text to send instead of the commit of a file.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[Request] = []
        self.cuts = 0
        self.before: dict[str, Callable[[], object]] = {}
        self.after_commit: Callable[[], object] = nothing
        self.commit_header: str | None = None
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are part of the tests."""

    @property
    def downloads(self) -> list[str]:
        """Method and file of all requests for files."""
        asked = (request for request in self.requests if "/resolve/" in request.path)
        return [f"{request.method} {request.path.rsplit('/')[-1]}" for request in asked]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def publish(self, name: str, files: dict[str, bytes], private: bool = False) -> str:
        """Commit files to a repository, made if missing, as if its owner had; the commit."""
        repo = self.repos.setdefault(name, Repo(name.split("/")[0], private))
        stored = {
            path: self.store(data, path.endswith(".safetensors")) for path, data in files.items()
        }
        return repo.commit(stored)

    def publish_folder(self, name: str, folder: Path, private: bool = False) -> str:
        return self.publish(name, {p.name: p.read_bytes() for p in folder.iterdir()}, private)

    def store(self, data: bytes, lfs: bool) -> File:
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        oid = hashlib.sha256(data).hexdigest() if lfs else git
        self.objects[oid] = data
        return File(oid, len(data), lfs)

    def cas(self, name: str) -> Path:
        return self.folder / "cas" / name

    def xet(self) -> dict[str, tuple[str, int]]:
        """Xet hash and size by sha256 of what was uploaded through Xet, from its shards.

        A shard: magic (32 bytes), version and footer size (8 each); then for each file a header of
        48 bytes (hash, flags, number of segments, ...), 48 for each segment, as many again if it
        has verification entries, and 48 that begin with its sha256 if it has metadata.
        """
        found = {}
        for path in (self.folder / "cas").glob("*/*/xet/xorbs/shards/*.mdb"):
            shard, at = path.read_bytes(), 48
            while (name := shard[at : at + 32]) != b"\xff" * 32:
                flags, segments = struct.unpack_from("<II", shard, at + 32)
                at += 48
                sizes = struct.iter_unpack("<36xI8x", shard[at : at + 48 * segments])
                size = sum(length for (length,) in sizes)
                at += 48 * segments * (2 if flags >> 31 else 1)
                if flags >> 30 & 1:
                    found[_hex(shard[at : at + 32])] = (_hex(name), size)
                    at += 48
        return found


def _hex(words: bytes) -> str:
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", words))


REPO = "([^/]+/[^/]+)"
ROUTES = {
    "resolve": rf"(?:GET|HEAD) /{REPO}/resolve/([^/]+)/(.+)",
    "info": rf"GET /api/models/{REPO}(?:/revision/([^/]+))?",
    "tree": rf"GET /api/models/{REPO}/tree/([^/]+)",
    "refs": rf"GET /api/models/{REPO}/refs",
    "xet_token": rf"GET /api/models/{REPO}/xet-(read|write)-token/[^/]+",
    "harnesses": r"GET /api/agent-harnesses",
    "create": r"POST /api/repos/create",
    "validate": r"POST /api/validate-yaml",
    "preupload": rf"POST /api/models/{REPO}/preupload/([^/]+)",
    "commit": rf"POST /api/models/{REPO}/commit/([^/]+)",
    "branch": rf"POST /api/models/{REPO}/branch/([^/]+)",
    "tag": rf"POST /api/models/{REPO}/tag/([^/]+)",
    "batch": rf"POST /{REPO}\.git/info/lfs/objects/batch",
    "upload": r"PUT /lfs/([0-9a-f]{64})",
}


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def answer(self) -> None:
        path = urlsplit(self.path).path
        self.body = self.read_body()
        self.server.requests.append(Request(self.command, path, self.headers.get("Range")))
        path = path.replace("/api/spaces/", "/api/models/", 1)  # which have the same requests
        try:
            for name, pattern in ROUTES.items():
                if match := re.fullmatch(pattern, f"{self.command} {path}"):
                    groups = (unquote(group) if group else group for group in match.groups())
                    self.server.before.get(name, nothing)()
                    getattr(self, name)(*groups)
                    return
            raise RefusedError(404, f"no such page: {path}")
        except RefusedError as refused:
            self.send({"error": str(refused)}, refused.status, refused.headers)

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def send(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    # Who asks, and for what.

    def user(self) -> str | None:
        token = self.headers.get("Authorization")
        if token is None:
            return None
        if (user := TOKENS.get(token.removeprefix("Bearer "))) is None:
            raise RefusedError(401, "Invalid credentials in Authorization header")
        return user

    def repo(self, name: str, write: bool = False) -> Repo:
        user, repo = self.user(), self.server.repos.get(name)
        if repo is None or (repo.private and user != repo.owner):
            raise RefusedError(404 if user else 401, "Repository not found", "RepoNotFound")
        if repo.gated and user != repo.owner:
            raise RefusedError(403, "Access to this model is restricted", "GatedRepo")
        if write and user != repo.owner:
            raise RefusedError(403, "Forbidden: you don't have write access to this repository")
        return repo

    def revision(self, repo: Repo, revision: str) -> str:
        for commit in (repo.refs.get(f"{kind}/{revision}") for kind in ("heads", "tags")):
            if commit is not None:
                return commit
        if revision not in repo.commits:
            raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return revision

    # Downloads.

    def resolve(self, name: str, revision: str, path: str) -> None:
        repo = self.repo(name)
        commit = self.revision(repo, revision)
        headers = {"X-Repo-Commit": self.server.commit_header or commit}
        if (file := repo.commits[commit].get(path)) is None:
            refused = RefusedError(404, f"{path} does not exist", "EntryNotFound")
            refused.headers.update(headers)
            raise refused
        headers["ETag"] = f'"{file.oid}"'
        if file.oid in self.server.objects:
            return self.send_file(self.server.objects[file.oid], file.lfs, headers)
        route = f"{self.server.url}/api/models/{name}/xet-read-token/{commit}"
        headers |= {
            "X-Linked-Etag": headers["ETag"],
            "X-Linked-Size": str(file.size),
            "X-Xet-Hash": self.server.xet()[file.oid][0],
            "X-Xet-Refresh-Route": route,
        }
        self.send(b"", 200, headers)

    def send_file(self, data: bytes, lfs: bool, headers: dict[str, str]) -> None:
        start = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        rest = data[int(start[1]) :] if start else data
        if start:
            headers["Content-Range"] = f"bytes {start[1]}-{len(data) - 1}/{len(data)}"
        if lfs and self.server.cuts and self.command == "GET":
            self.server.cuts -= 1
            self.close_connection = True
            headers["Content-Length"] = str(len(rest))
            rest = rest[: len(rest) // 2]
        self.send(rest, 206 if start else 200, headers)

    def xet_token(self, name: str, kind: str) -> None:
        self.repo(name, write=kind == "write")
        about = {"Cas-Url": f"local://{self.server.cas(name)}", "Access-Token": "-"}
        headers = {f"X-Xet-{key}": value for key, value in about.items()}
        answer = {"casUrl": about["Cas-Url"], "accessToken": "-", "exp": NEVER}
        self.send(answer, 200, {**headers, "X-Xet-Token-Expiration": str(NEVER)})

    # What there is.

    def info(self, name: str, revision: str | None) -> None:
        repo = self.repo(name)
        commit = self.revision(repo, revision or "main")
        files = [_entry(path, file) for path, file in repo.commits[commit].items()]
        siblings = [{"rfilename": entry["path"], **entry} for entry in files]
        about = {"id": name, "modelId": name, "author": repo.owner, "private": repo.private}
        self.send({**about, "sha": commit, "siblings": siblings, "tags": []})

    def tree(self, name: str, revision: str) -> None:
        repo = self.repo(name)
        files = repo.commits[self.revision(repo, revision)]
        self.send([_entry(path, file) for path, file in files.items()])

    def refs(self, name: str) -> None:
        refs = self.repo(name).refs.items()

        def kind(prefix: str) -> list[dict[str, str]]:
            return [
                {"name": ref.removeprefix(prefix), "ref": f"refs/{ref}", "targetCommit": commit}
                for ref, commit in refs
                if ref.startswith(prefix)
            ]

        self.send({"branches": kind("heads/"), "tags": kind("tags/"), "converts": []})

    def harnesses(self) -> None:
        """Answer what the client asks for once a day, to say who it works for."""
        self.send({})

    # Uploads.

    def create(self) -> None:
        asked, user = json.loads(self.body), self.user()
        name = f"{asked['organization'] or user}/{asked['name']}"
        if user is None:
            raise RefusedError(401, "Invalid username or password.")
        if name.split("/")[0] != user:
            raise RefusedError(403, f"You don't have the rights to create a model as {name}")
        exists = name in self.server.repos
        if not exists:
            self.server.publish(name, {".gitattributes": b""}, asked.get("visibility") == "private")
        self.send({"url": f"{self.server.url}/{name}"}, 409 if exists else 200)

    def validate(self) -> None:
        self.send({"errors": [], "warnings": []})

    def preupload(self, name: str, revision: str) -> None:
        repo = self.repo(name, write=True)
        there = repo.commits[self.revision(repo, revision)]
        answers = []
        for file in json.loads(self.body)["files"]:
            path = file["path"]
            mode = "lfs" if path.endswith((".safetensors", ".png")) else "regular"
            oid = there[path].oid if path in there else None
            answers.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self.send({"files": answers})

    def batch(self, name: str) -> None:
        self.repo(name, write=True)
        objects = []
        for asked in json.loads(self.body)["objects"]:
            action = {"upload": {"href": f"{self.server.url}/lfs/{asked['oid']}"}}
            known = asked["oid"] in self.server.objects
            objects.append({**asked, **({} if known else {"actions": action})})
        self.send({"transfer": "basic", "objects": objects})

    def upload(self, oid: str) -> None:
        if self.server.store(self.body, lfs=True).oid != oid:
            raise RefusedError(400, "sha256 mismatch")
        self.send(b"")

    def commit(self, name: str, branch: str) -> None:
        repo = self.repo(name, write=True)
        parent = self.revision(repo, branch)
        header, *lines = map(json.loads, self.body.splitlines())
        if header["value"].get("parentCommit", parent) != parent:
            raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        files = dict(repo.commits[parent])
        for line in lines:
            if apply := CHANGES.get(line["key"]):
                apply(self.server, files, line["value"])
        commit = repo.commit(files, branch)
        self.server.after_commit()
        url = f"{self.server.url}/{name}/commit/{commit}"
        self.send({"success": True, "commitOid": commit, "commitUrl": url})

    def branch(self, name: str, branch: str) -> None:
        repo = self.repo(name, write=True)
        self.add_ref(repo, f"heads/{branch}", repo.refs["heads/main"])

    def tag(self, name: str, revision: str) -> None:
        repo = self.repo(name, write=True)
        tag = json.loads(self.body)["tag"]
        self.add_ref(repo, f"tags/{tag}", self.revision(repo, revision))

    def add_ref(self, repo: Repo, ref: str, commit: str) -> None:
        if ref in repo.refs:
            raise RefusedError(409, f"Reference {ref} already exists")
        repo.refs[ref] = commit
        self.send({})


def _entry(path: str, file: File) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "oid": file.oid, "size": file.size}
    if not file.lfs:
        return {**entry, "blobId": file.oid}
    lfs = {"oid": file.oid, "sha256": file.oid, "size": file.size, "pointerSize": 130}
    return {**entry, "blobId": hashlib.sha1(file.oid.encode()).hexdigest(), "lfs": lfs}


Files = dict[str, File]


def _add(hub: Hub, files: Files, value: dict[str, Any]) -> None:
    files[value["path"]] = hub.store(base64.b64decode(value["content"]), lfs=False)


def _add_lfs(hub: Hub, files: Files, value: dict[str, Any]) -> None:
    oid = value["oid"]
    size = len(hub.objects[oid]) if oid in hub.objects else hub.xet().get(oid, ("", -1))[1]
    if size != value["size"]:
        raise RefusedError(400, f"LFS object {oid} was not uploaded")
    files[value["path"]] = File(oid, size, lfs=True)


def _delete(hub: Hub, files: Files, value: dict[str, Any]) -> None:
    if files.pop(value["path"], None) is None:
        raise RefusedError(404, "A file with this name doesn't exist", "EntryNotFound")


CHANGES: dict[str, Callable[[Hub, Files, dict[str, Any]], None]] = {
    "file": _add,
    "lfsFile": _add_lfs,
    "deletedFile": _delete,
}
