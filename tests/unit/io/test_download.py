"""Downloads from a local server: resumption and checksums."""

import hashlib
import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from speechvq.data.corpora import librispeech, vctk
from speechvq.errors import UserError
from speechvq.io import download
from speechvq.io.download import RemoteFile, check_sha256, fetch

CONTENT = bytes(range(256)) * 40


@dataclass
class Server:
    """Content of the server, and its faults."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True  # whether it supports range requests
    breaks_after: int | None = None  # bytes sent before each connection breaks
    asked: list[str] = field(default_factory=list)  # the Range header of each request

    def source(self, name: str, content: bytes) -> RemoteFile:
        self.files[f"/{name}"] = content
        return RemoteFile(f"{self.address}/{name}", hashlib.sha256(content).hexdigest())


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, state)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.address = f"http://127.0.0.1:{http.server_port}"
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield state
        http.shutdown()


def answer(request: BaseHTTPRequestHandler, state: Server) -> None:
    """One GET request, with ranges and broken connections as configured by `state`."""
    state.asked.append(asked := request.headers.get("Range", ""))
    content = state.files.get(request.path)
    if content is None:
        request.send_error(404)
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and state.ranges else 0
    if start >= len(content) > 0:
        request.send_response(416)
        request.send_header("Content-Range", f"bytes */{len(content)}")
        request.end_headers()
        return
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    request.send_header("Content-Length", str(len(content) - start))
    request.end_headers()
    end = None if state.breaks_after is None else start + state.breaks_after
    request.wfile.write(content[start:end])


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    source = server.source("a.bin", CONTENT)
    for _ in range(2):
        assert fetch(source, tmp_path / "new").read_bytes() == CONTENT
    assert len(server.asked) == 1 and [path.name for path in (tmp_path / "new").iterdir()] == ["a.bin"]


def test_a_broken_connection_is_resumed(server: Server, tmp_path: Path) -> None:
    server.breaks_after = 3000
    assert fetch(server.source("a.bin", CONTENT), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["", "bytes=3000-", "bytes=6000-", "bytes=9000-"]


def test_a_later_call_continues(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin.partial").write_bytes(CONTENT[:5000])
    assert fetch(server.source("a.bin", CONTENT), tmp_path).read_bytes() == CONTENT
    assert server.asked == ["bytes=5000-"]


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "a.bin.partial").write_bytes(b"other" * 1000)
    assert fetch(server.source("a.bin", CONTENT), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("surplus", [b"", b"surplus"], ids=["complete", "too long"])
def test_a_complete_partial_file_is_accepted(server: Server, tmp_path: Path, surplus: bytes) -> None:
    (tmp_path / "a.bin.partial").write_bytes(CONTENT + surplus)
    assert fetch(server.source("a.bin", CONTENT), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(("ranges", "most"), [(True, 0), (False, 3000)])
def test_a_short_download_is_kept_for_later(server: Server, tmp_path: Path, ranges: bool, most: int) -> None:
    server.ranges, server.breaks_after = ranges, most
    with pytest.raises(UserError, match=rf"after {most} bytes; the same command continues"):
        fetch(server.source("a.bin", CONTENT), tmp_path)
    assert len(server.asked) <= download.ATTEMPTS + 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin.partial"]


def test_a_wrong_checksum_removes_the_file(server: Server, tmp_path: Path) -> None:
    source = server.source("a.bin", CONTENT)
    server.files["/a.bin"] = CONTENT[::-1]
    with pytest.raises(UserError, match=r"a\.bin: not the published file"):
        fetch(source, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_server_errors_are_user_errors(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="answers 404"):
        fetch(RemoteFile(f"{server.address}/missing.bin"), tmp_path)
    with pytest.raises(UserError, match=r"refused.* after 0 bytes"):
        fetch(RemoteFile("http://127.0.0.1:1/a.bin"), tmp_path)


def test_free_space_is_checked_first(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match="free some space"):
        fetch(server.source("a.bin", CONTENT), tmp_path)


def test_an_unwritable_folder_is_a_user_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        fetch(server.source("a.bin", CONTENT), tmp_path / "file")


def test_checksum_of_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    check_sha256(tmp_path / "a", hashlib.sha256(CONTENT).hexdigest())


def test_vctk_is_an_archive_within_an_archive(server: Server, tmp_path: Path) -> None:
    inner = zipped(
        {"wav48_silence_trimmed/p225/p225_001_mic1.flac": b"x", "txt/p225/p225_001.txt": b"Hello."}
    )
    outer = server.source("DS_10283_3443.zip", zipped({vctk.INNER_NAME: inner, "license_text.txt": b""}))
    for _ in range(2):  # the second call has nothing to do
        vctk.download(tmp_path, RemoteFile(outer.url), hashlib.sha256(inner).hexdigest())
    assert len(server.asked) == 1 and not list(tmp_path.rglob("*.zip"))
    assert [recording.text for recording in vctk.recordings(tmp_path).recordings] == ["Hello."]


def test_an_altered_vctk_is_refused(server: Server, tmp_path: Path) -> None:
    outer = server.source("DS_10283_3443.zip", zipped({vctk.INNER_NAME: zipped({"wav48/p1/p1_1.wav": b"x"})}))
    with pytest.raises(UserError, match="not the published file"):
        vctk.download(tmp_path, outer)
    empty = server.source("empty.zip", zipped({"README": b""}))
    with pytest.raises(UserError, match="download the corpus by hand"):
        vctk.download(tmp_path, empty)
    assert not list(tmp_path.rglob("*.wav"))


def test_librispeech_subsets(server: Server, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("LibriSpeech/dev-clean/84/1/84-1-0000.flac"))
    sources = {"dev-clean": server.source("dev-clean.tar.gz", packed.getvalue())}
    for _ in range(2):
        librispeech.download(tmp_path, "dev-clean", sources)
    assert len(server.asked) == 1 and len(librispeech.recordings(tmp_path).recordings) == 1
    with pytest.raises(UserError, match="no such subset of LibriSpeech; there are dev-clean"):
        librispeech.download(tmp_path, "train", sources)


def zipped(content: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return packed.getvalue()
