"""Archives that misbehave, and servers on the loopback that do."""

import bz2
import gzip
import hashlib
import io
import lzma
import os
import random
import shutil
import socket
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from faults.case import Case, Setting
from faults.child import WALL, Child, Ending, check_bounded, check_quiet, last_line
from speechvq.errors import UserError
from speechvq.io import download
from speechvq.io.archive import extract
from speechvq.io.download import RemoteFile, fetch

TRIED = (
    "Archives with members outside the folder, absolute and Windows paths, links, devices, pipes, bombs "
    "(gzip, bz2, xz, zip), headers of a gigabyte, false sizes and checksums, damage at random "
    "places; servers that answer with errors, too little, too much, another part, nothing, one byte at "
    "a time, endless headers, redirects, another file. Each ends in one message or the right file, with "
    "nothing outside the folder, within 20 s and 256 MB."
)
RANDOM_CASES, SECONDS, MEMORY = 120, 20.0, 256 << 20
CONTENT = bytes(range(256)) * 40
REFUSED = 2


def cases(setting: Setting) -> Iterator[Case]:
    """Archives by name, archives damaged at random, then servers."""
    archives = {**ARCHIVES, **UNCLEAR_ARCHIVES, **GOOD_ARCHIVES}
    for number, name in enumerate(setting.some(list(archives), 8)):
        place = setting.folder / f"archive {number}"
        expected = "done" if name in GOOD_ARCHIVES else "either" if name in UNCLEAR_ARCHIVES else "refused"
        yield Case(
            name,
            lambda place=place, make=archives[name], expected=expected: check_archive(place, make, expected),  # type: ignore
        )
    for number in range(3 if setting.short else RANDOM_CASES):
        place, chance = setting.folder / f"random {number}", random.Random(setting.seed * 10_000 + number)
        yield Case(
            f"random damage {number}",
            lambda place=place, chance=chance: check_archive(
                place, lambda path: damaged(path, chance), "either"
            ),  # type: ignore
        )
    for name in setting.some(list(SERVERS), 4):
        place = setting.folder / "servers" / name.replace("/", " ")
        yield Case(f"server: {name}", lambda name=name, place=place: check_server(place, name))  # type: ignore


def in_child(work: Callable[[], object], place: Path) -> Ending:
    """Run a function in a child: exit code 2 and its message on stderr after a UserError."""

    def run() -> int:
        try:
            work()
        except UserError as error:
            line = " ".join(str(error).splitlines())  # as a command prints it
            os.write(2, f"{line}\n".encode(errors="backslashreplace"))
            return REFUSED
        return 0

    return Child(run, place, memory=MEMORY).wait(WALL * SECONDS)


def check_ending(ending: Ending, expected: str) -> None:
    """Bounded, without a traceback, one line after a refusal."""
    check_bounded(ending, seconds=SECONDS, memory=MEMORY)
    check_quiet(ending)
    codes = {"done": (0,), "refused": (REFUSED,), "either": (0, REFUSED)}[expected]
    assert ending.code in codes, f"exit code {ending.code}, expected {expected}: {last_line(ending.err)}"
    messages = [line for line in ending.err.splitlines() if not line.startswith("download ")]
    assert ending.code == 0 or len(messages) == 1, f"{len(messages)} lines: {ending.err[-200:]}"


def check_archive(place: Path, make: Callable[[Path], object], expected: str) -> None:
    """Unpack an archive; nothing may appear outside the folder."""
    place.mkdir()
    archive, out = place / "archive", place / "deep" / "out"
    make(archive)
    ending = in_child(lambda: extract(archive, out), place)
    check_ending(ending, expected)
    outside = [path for path in place.rglob("*") if path.is_file() and not path.is_relative_to(out)]
    assert outside == [archive], f"outside the folder: {outside}"
    assert not Path("/tmp/escaped").exists(), "outside the folder: /tmp/escaped"
    for path in out.rglob("*"):
        assert not path.is_symlink() and (path.is_file() or path.is_dir()), f"{path.name} is no file"
        assert not path.name.startswith(".part-"), "an unfinished file is left"
    shutil.rmtree(place)


# -- archives


def tar(
    *members: tuple[str, bytes], mode: str = "w:gz", format: int = tarfile.PAX_FORMAT
) -> Callable[[Path], None]:
    """A tar file of named contents."""

    def make(path: Path) -> None:
        with tarfile.open(path, mode, format=format) as archive:  # type: ignore[call-overload]
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    return make


def special(kind: bytes, target: str = "") -> Callable[[Path], None]:
    """A tar file with a member that is no file, and one whose path leads through it."""

    def make(path: Path) -> None:
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo("trap")
            info.type, info.linkname = kind, target
            archive.addfile(info)
            archive.addfile(tarfile.TarInfo("trap/file"), io.BytesIO())

    return make


def zipped(*members: tuple[str, bytes], change: Callable[[bytes], bytes] = bytes) -> Callable[[Path], None]:
    """A zip file of named contents, with its bytes changed."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members:
                archive.writestr(name, data)
        path.write_bytes(change(path.read_bytes()))

    return make


def wrong_checksum(content: bytes) -> bytes:
    """A zip file whose checksums, in both places, are of other content."""
    at = content.index(b"PK\x01\x02") + 16
    return content[:14] + b"none" + content[18:at] + b"none" + content[at + 4 :]


def without_name(content: bytes) -> bytes:
    """A zip file with one member whose name of one letter is removed, in both places."""
    at = content.index(b"PK\x01\x02")
    member = content[:26] + bytes(2) + content[28:30] + content[31:at]
    entry = content[at : at + 28] + bytes(2) + content[at + 30 : at + 46] + content[at + 47 :]
    end = entry.index(b"PK\x05\x06")
    size, start = (value.to_bytes(4, "little") for value in (end, len(member)))
    return member + entry[: end + 12] + size + start + entry[end + 20 :]


def zip_link(path: Path) -> None:
    """A symbolic link in a zip file."""
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("trap")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def huge_header(kind: bytes) -> Callable[[Path], None]:
    """A gzipped tar whose first header announces a name or pax fields of 1.5 GB, which follow as zeros."""

    def make(path: Path) -> None:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = kind, 3 << 29
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(info.tobuf(tarfile.GNU_FORMAT))
            block = bytes(1 << 24)
            for _ in range(96):
                file.write(block)

    return make


def pax_fields(fields: bytes) -> Callable[[Path], None]:
    """A tar file with a pax header of these bytes."""

    def make(path: Path) -> None:
        info = tarfile.TarInfo("pax")
        info.type, info.size = tarfile.XHDTYPE, len(fields)
        padded = fields + bytes(-len(fields) % 512)
        with gzip.open(path, "wb") as file:
            file.write(info.tobuf(tarfile.USTAR_FORMAT) + padded + tarfile.TarInfo("a").tobuf() + bytes(1024))

    return make


def pax(key: str, value: str) -> bytes:
    """One record of a pax header."""
    size = len(f" {key}={value}\n") + 2
    return f"{size} {key}={value}\n".encode()


def header_field(offset: int, value: bytes) -> Callable[[Path], None]:
    """A tar file with a field of its first header replaced, and a right checksum."""

    def make(path: Path) -> None:
        block = bytearray(tarfile.TarInfo("a").tobuf())
        block[offset : offset + len(value)] = value
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block[:512])
        path.write_bytes(gzip.compress(bytes(block) + bytes(1024)))

    return make


def compressed_bomb(compress: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A tar of 400 MB of zeros in a compression."""

    def make(path: Path) -> None:
        info = tarfile.TarInfo("zeros")
        info.size = 400 << 20
        path.write_bytes(compress(info.tobuf() + bytes(info.size)))

    return make


def damaged(path: Path, chance: random.Random) -> None:
    """A good archive with a few random bytes changed or cut."""
    sound = random.Random(0).randbytes(4_000)
    make = chance.choice([tar, lambda *m: tar(*m, mode="w:xz"), lambda *m: tar(*m, mode="w:bz2"), zipped])
    make(("a/1.flac", sound), ("a/2.flac", sound[::-1]), ("README", b"text"))(path)
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content[: chance.choice([len(content), chance.randrange(len(content))])])


ONE = ("a.flac", CONTENT)
ARCHIVES: dict[str, Callable[[Path], object]] = {
    "tar: ..": tar(("../escaped", b"x")),
    "tar: inner ..": tar(("a/../../escaped", b"x")),
    "tar: absolute": tar(("/tmp/escaped", b"x")),
    "tar: backslashes": tar(("..\\escaped", b"x")),
    "tar: drive": tar(("C:escaped", b"x")),
    "tar: network share": tar(("\\\\server\\share\\x", b"x")),
    "tar: name through pax": pax_fields(pax("path", "../../escaped")),
    "tar: symbolic link": special(tarfile.SYMTYPE, ".."),
    "tar: hard link": special(tarfile.LNKTYPE, "/etc/passwd"),
    "tar: character device": special(tarfile.CHRTYPE),
    "tar: block device": special(tarfile.BLKTYPE),
    "tar: pipe": special(tarfile.FIFOTYPE),
    "tar: gzip bomb": compressed_bomb(lambda content: gzip.compress(content, 1)),
    "tar: bz2 bomb": compressed_bomb(lambda content: bz2.compress(content, 1)),
    "tar: xz bomb": compressed_bomb(lambda content: lzma.compress(content, preset=0)),
    "tar: long name of 1.5 GB": huge_header(tarfile.GNUTYPE_LONGNAME),
    "tar: long link of 1.5 GB": huge_header(tarfile.GNUTYPE_LONGLINK),
    "tar: pax header of 1.5 GB": huge_header(tarfile.XHDTYPE),
    "tar: pax size of 2^70": pax_fields(pax("size", str(2**70))),
    "tar: pax sparse map that is no number": pax_fields(
        pax("GNU.sparse.map", "a,b") + pax("GNU.sparse.size", "x")
    ),
    "tar: size that is no number": header_field(124, b"size_is_this"),
    "tar: damaged xz": lambda path: (
        tar(ONE, mode="w:xz")(path),
        path.write_bytes(path.read_bytes()[:60] + b"damaged!" + path.read_bytes()[68:]),
    ),
    "tar: cut": lambda path: (tar(ONE)(path), path.write_bytes(path.read_bytes()[:-40])),
    "zip: ..": zipped(("../escaped", b"x")),
    "zip: absolute": zipped(("/tmp/escaped", b"x")),
    "zip: link": zip_link,
    "zip: bomb": zipped(("zeros", bytes(400 << 20))),
    "zip: understated size": zipped(
        ("a", bytes(1 << 20)),
        change=lambda b: b.replace((1 << 20).to_bytes(4, "little"), (10).to_bytes(4, "little")),
    ),
    "zip: wrong checksum": zipped(ONE, change=wrong_checksum),
    "zip: cut": zipped(ONE, change=lambda b: b[:-30]),
    "zip: empty name": zipped(("Q", b"x"), change=without_name),
    "zip: a name of dots": zipped(("..", b"x")),
    "zip: encrypted": zipped(
        ONE, change=lambda b: b.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    ),
    "tar: empty name": tar(("", b"x")),
    "a web page": lambda path: path.write_text("<html>404</html>"),
    "an empty file": Path.touch,
}
UNCLEAR_ARCHIVES: dict[str, Callable[[Path], object]] = {  # Python reads them as an empty file
    "tar: pax size that is no number": pax_fields(pax("size", "many")),
    "tar: pax record without length": pax_fields(b"path=../x\n"),
    "tar: negative size": header_field(124, b"\xff" * 12),
}
GOOD_ARCHIVES: dict[str, Callable[[Path], object]] = {
    "good .tar.gz": tar(ONE, ("a ü/2.flac", CONTENT)),
    "good .tar": tar(ONE, mode="w"),
    "good .zip": zipped(ONE, ("a ü/2.flac", CONTENT)),
    "good .tar.gz with a long name": tar(("a" * 90 + "/" + "b" * 200, b"x"), format=tarfile.GNU_FORMAT),
}

# -- servers


class Handler(BaseHTTPRequestHandler):
    """Answers every request as the chosen server does."""

    serve: Callable[["Handler", int], None]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One request."""
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        with suppress(OSError):
            type(self).serve(self, start)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def send(self, status: int, body: bytes, **headers: object) -> None:
        """An answer with headers; underscores in their names are dashes."""
        self.send_response(status)
        for name, value in ({"Content_Length": len(body)} | headers).items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)


def part(handler: Handler, start: int, body: bytes | None = None, **headers: object) -> None:
    """The content from `start` on, with a right Content-Range unless headers say otherwise."""
    body = CONTENT[start:] if body is None else body
    if start:
        headers = {"Content_Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"} | headers
    handler.send(206 if start else 200, body, **headers)


def short(handler: Handler, start: int) -> None:
    """2,000 bytes of each answer, then the connection breaks."""
    part(handler, start, CONTENT[start : start + 2_000], Content_Length=len(CONTENT) - start)


def trickle(handler: Handler, start: int) -> None:
    """One byte, then silence until the client gives up."""
    part(handler, start, CONTENT[start : start + 1], Content_Length=len(CONTENT) - start)
    time.sleep(3)


def endless_headers(handler: Handler, start: int) -> None:
    """Header lines without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(100_000):
        handler.wfile.write(b"X-%d: a\r\n" % number)


def redirect_to(place: str) -> Callable[[Handler, int], None]:
    """A redirection."""
    return lambda handler, start: handler.send(302, b"", Location=place)


def forever(handler: Handler, start: int) -> None:
    """A redirection to itself."""
    handler.send(302, b"", Location=handler.path)


SERVERS: dict[str, tuple[Callable[[Handler, int], None], str]] = {
    "well-behaved": (part, "done"),
    "breaks every 2,000 bytes": (short, "done"),
    "without ranges": (lambda handler, start: handler.send(200, CONTENT), "done"),
    "without a length": (lambda handler, start: part(handler, start, Content_Length=None), "done"),
    "404": (lambda handler, start: handler.send(404, b"no"), "refused"),
    "500": (lambda handler, start: handler.send(500, b"no"), "refused"),
    "403 with a page": (lambda handler, start: handler.send(403, b"<html>" * 999), "refused"),
    "another file": (lambda handler, start: part(handler, start, CONTENT[::-1][start:]), "refused"),
    "another file of another length": (lambda handler, start: handler.send(200, b"<html>"), "refused"),
    "nothing": (lambda handler, start: None, "refused"),
    "an empty body": (lambda handler, start: handler.send(200, b""), "refused"),
    "half of it, always": (
        lambda handler, start: handler.send(200, CONTENT[:5_000], Content_Length=len(CONTENT)),
        "refused",
    ),
    "one byte, then silence": (trickle, "refused"),
    "too much": (lambda handler, start: part(handler, start, (CONTENT + b"more")[start:]), "refused"),
    "a length that is no number": (
        lambda handler, start: handler.send(200, CONTENT, Content_Length="many"),
        "done",
    ),
    "a length of a petabyte": (
        lambda handler, start: handler.send(200, CONTENT, Content_Length=10**15),
        "refused",
    ),
    "a negative length": (lambda handler, start: handler.send(200, CONTENT, Content_Length=-5), "either"),
    "another part than asked for": (
        lambda handler, start: (
            short(handler, start)
            if not start
            else part(handler, start, CONTENT[9:], Content_Range=f"bytes 9-{len(CONTENT) - 1}/{len(CONTENT)}")
        ),
        "refused",
    ),
    "no HTTP": (lambda handler, start: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"), "refused"),
    "endless headers": (endless_headers, "refused"),
    "redirects to itself": (forever, "refused"),
    "redirects to a file": (redirect_to("file:///etc/passwd"), "refused"),
    "redirects to nowhere": (redirect_to("http://127.0.0.1:1/x"), "refused"),
}


@contextmanager
def running(serve: Callable[[Handler, int], None]) -> Iterator[str]:
    """A server in threads of this process; its address."""
    handler = type("Chosen", (Handler,), {"serve": staticmethod(serve)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


def check_server(place: Path, name: str) -> None:
    """Download a file of a known checksum."""
    place.mkdir(parents=True)
    serve, expected = SERVERS[name]
    checksum = hashlib.sha256(CONTENT).hexdigest()

    def work(address: str) -> None:
        download.TIMEOUT_SECONDS = 1.0
        for key in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            os.environ.pop(key, None)
        socket.setdefaulttimeout(5.0)
        fetch(RemoteFile(f"{address}/a.bin", checksum), place / "out")

    with running(serve) as address:
        ending = in_child(lambda: work(address), place)
    check_ending(ending, expected)
    left = {path.name for path in (place / "out").glob("*")}
    assert left <= {"a.bin", "a.bin.partial"}, f"left: {left}"
    if ending.code == 0:
        assert (place / "out/a.bin").read_bytes() == CONTENT, "the file is not the published one"
    else:
        assert "a.bin" not in left, "a wrong file has the final name"
