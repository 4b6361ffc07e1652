"""A stand-in for the Hugging Face hub on loopback: one repository with revisions, no network."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class HubServer:
    """Repositories by name and revision, each file by its path.

    Attributes:
        url: for HF_ENDPOINT.
        commits: per repository, the commits from old to new: (40 digits, the files' contents).
        asked: method and path of every request.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.commits: dict[str, list[tuple[str, dict[str, bytes]]]] = {}
        self.asked: list[str] = []

    def find(self, repository: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """A commit: the newest for the branch main, v0 for the first one, or by its digits."""
        commits = self.commits.get(repository)
        if not commits:
            return None
        named = {"main": commits[-1], "v0": commits[0], **{commit[0]: commit for commit in commits}}
        return named.get(revision)

    def commit(self, repository: str, added: dict[str, bytes]) -> str:
        """Add a commit; returns its digits."""
        commits = self.commits[repository]
        files = {**(commits[-1][1] if commits else {}), **added}
        commits.append((hashlib.sha1(repr(files).encode()).hexdigest(), files))
        return commits[-1][0]


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """A server that runs in a thread until the end of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = HubServer(server.server_port)
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """The requests of create_repo, create_commit and snapshot_download."""

    protocol_version = "HTTP/1.1"

    @property
    def hub(self) -> HubServer:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self._describe("/".join(parts[2:4]), parts[4:])
        if parts[2:3] == ["resolve"]:
            found = self.hub.find("/".join(parts[:2]), parts[3])
            if found and "/".join(parts[4:]) in found[1]:
                content = found[1]["/".join(parts[4:])]
                headers = {"X-Repo-Commit": found[0], "ETag": f'"{_digest(content)}"'}
                return self._answer(200, content, headers)
        return self._missing()

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        self.hub.asked.append(f"POST {path}")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            fields = json.loads(body)
            name = f"{fields['organization']}/{fields['name']}"
            self.hub.commits.setdefault(name, [])
            return self._json({"url": f"{self.hub.url}/{name}", "name": name})
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        repository = "/".join(parts[2:4])
        if parts[4:5] == ["preupload"]:
            names = [each["path"] for each in json.loads(body)["files"]]
            modes = [{"path": each, "uploadMode": "regular", "shouldIgnore": False} for each in names]
            return self._json({"files": modes})
        if parts[4:5] == ["commit"]:
            lines = [json.loads(line) for line in body.splitlines()]
            files = [line["value"] for line in lines if line["key"] == "file"]
            commit = self.hub.commit(
                repository, {each["path"]: base64.b64decode(each["content"]) for each in files}
            )
            url = f"{self.hub.url}/{repository}/commit/{commit}"
            return self._json({"commitUrl": url, "commitOid": commit, "success": True})
        return self._missing()

    def _describe(self, repository: str, rest: list[str]) -> None:
        """What the repository holds: its commit, or the list of files."""
        revision = rest[1] if len(rest) > 1 else "main"
        found = self.hub.find(repository, revision)
        if found is None:
            return self._missing()
        commit, files = found
        if rest[:1] == ["tree"]:
            entries = [
                {"type": "file", "path": name, "size": len(content), "oid": _digest(content)}
                for name, content in files.items()
            ]
            return self._json(entries)
        siblings = [{"rfilename": name} for name in files]
        return self._json(
            {"_id": "0", "id": repository, "modelId": repository, "sha": commit, "siblings": siblings}
        )

    def _json(self, content: Any) -> None:
        self._answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _missing(self) -> None:
        self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *arguments: Any) -> None:
        """Nothing: the test looks at `asked`."""


def _digest(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
