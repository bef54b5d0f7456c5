"""A hub of models in this process: what `huggingface_hub` asks of one, and no more.

It keeps repositories in memory. Every commit is a snapshot of all files, named by 40 digits.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN = "hf_of_the_tests"


@dataclass
class Repository:
    """Files at each commit, and which commit each branch is at."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Add or replace files on a branch."""
        now = self.commits.get(self.branches.get(branch, ""), {}) | files
        text = json.dumps([len(self.commits), sorted((k, len(v)) for k, v in now.items())])
        name = hashlib.sha1(text.encode()).hexdigest()
        self.commits[name], self.branches[branch] = now, name
        return name

    def resolved(self, revision: str) -> str | None:
        """The commit of a branch, or of itself."""
        return self.branches.get(revision, revision if revision in self.commits else None)


@dataclass
class Hub:
    """What the server has, and what it was asked."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fails: int = 0  # answer everything with this status
    owner: str = "me"  # who may make repositories

    def repository(self, name: str) -> Repository:
        """One, made with an empty first commit."""
        made = self.repositories.setdefault(name, Repository())
        if not made.commits:
            made.commit({})
        return made


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *about: object) -> None:
        """Say nothing."""

    def answer(self, content: Any, status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str = "", said: str = "") -> None:
        self.answer({"error": said or code}, status, **({"X_Error_Code": code} if code else {}))

    @property
    def known(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {TOKEN}"

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def find(self, name: str) -> Repository | None:
        found = self.hub.repositories.get(name)
        return None if found is None or (found.private and not self.known) else found

    def do_POST(self) -> None:
        body, path = self.body(), unquote(self.path.partition("?")[0])
        self.hub.asked.append(f"POST {path}")
        if self.hub.fails:
            return self.refuse(self.hub.fails, said="down for the day")
        if path == "/api/validate-yaml":
            return self.answer({"warnings": [], "errors": []})
        if not self.known:
            return self.refuse(401, said="Invalid username or password.")
        if path == "/api/repos/create":
            said = json.loads(body)
            name = f"{said['organization']}/{said['name']}"
            if said["organization"] != self.hub.owner:
                return self.refuse(403, said=f"You may not make {name}.")
            if name in self.hub.repositories:
                said = "You already created this model repo"
                return self.answer({"error": said, "url": f"{self.hub.url}/{name}"}, 409)
            self.hub.repository(name).private = said.get("visibility") == "private"
            return self.answer({"url": f"{self.hub.url}/{name}"})
        _, _, kind, user, repo, verb, revision = path.split("/", 6)
        repository = self.hub.repositories[f"{user}/{repo}"]
        if verb == "branch":
            repository.branches.setdefault(revision, repository.branches["main"])
            return self.answer({})
        if verb == "preupload":
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            return self.answer({"files": files})
        assert (kind, verb) == ("models", "commit")
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        commit = repository.commit(files, revision)
        url = f"{self.hub.url}/{user}/{repo}/commit/{commit}"
        return self.answer({"commitUrl": url, "commitOid": commit})

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.hub.asked.append(f"{self.command} {path}")
        if self.hub.fails:
            return self.refuse(self.hub.fails, said="down for the day")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self.describe("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        if len(parts) < 5 or parts[2] != "resolve":
            return self.refuse(404)
        repository = self.find("/".join(parts[:2]))
        commit = None if repository is None else repository.resolved(parts[3])
        if repository is None or commit is None:
            return self.refuse(404, "RevisionNotFound")
        content = repository.commits[commit].get("/".join(parts[4:]))
        if content is None:
            return self.refuse(404, "EntryNotFound")
        tag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self.answer(content, ETag=tag, X_Repo_Commit=commit)

    do_HEAD = do_GET

    def describe(self, name: str, revision: str) -> None:
        repository = self.find(name)
        if repository is None:
            return self.refuse(404 if self.known else 401, "RepoNotFound", "Repository not found")
        commit = repository.resolved(revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = [{"rfilename": name} for name in sorted(repository.commits[commit])]
        return self.answer({"id": name, "sha": commit, "siblings": files, "private": False})


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub that answers, on a free port of this machine, until the block ends."""
    hub = Hub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
