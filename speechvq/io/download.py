"""Downloads of large files: resumable, and verified by a checksum."""

import hashlib
import http
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlparse

from speechvq.errors import UserError
from speechvq.io.atomic import writing
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from http.client import HTTPResponse

CHUNK_BYTES = 1 << 20
ATTEMPTS = 5  # consecutive attempts without new data
TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web."""

    url: str
    sha256: str | None = None  # None if none is published; the content must then be checked

    @property
    def name(self) -> str:
        """The file's name, the last part of the URL."""
        return Path(urlparse(self.url).path).name


def fetch(source: RemoteFile, folder: Path) -> Path:
    """Download to FOLDER/NAME and return that path; an existing file is only verified.

    The incomplete file is called NAME.partial. A later call continues it, if the server supports ranges.

    Raises:
        UserError: no connection, an error of the server, repeated interruptions, a full disk, or a wrong
            checksum (the file is then removed).
    """
    target = folder / source.name
    if not target.exists():
        partial = folder / f"{source.name}.partial"
        with writing(partial):
            folder.mkdir(parents=True, exist_ok=True)
            _complete(source.url, partial)
            partial.replace(target)  # not `atomic_file`: a partial download must survive an interruption
    if source.sha256:
        check_sha256(target, source.sha256)
    return target


def check_sha256(path: Path, expected: str) -> None:
    """Compare a file's checksum with the published one; a different file is removed.

    Raises:
        UserError: the checksums differ.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        pieces = iter(lambda: file.read(CHUNK_BYTES), b"")
        for piece in progress(
            pieces, total=path.stat().st_size // CHUNK_BYTES + 1, label=f"check {path.name}", unit="MiB"
        ):
            digest.update(piece)
    if digest.hexdigest() != expected:
        path.unlink()
        raise UserError(
            f"{path}: not the published file, its SHA-256 is {digest.hexdigest()}; removed, download again"
        )


def _complete(url: str, partial: Path) -> None:
    """Request the missing bytes until the file is complete, or several attempts in a row bring none."""
    from http.client import HTTPException  # with forty modules that only a download needs
    from urllib.error import HTTPError, URLError

    failures, largest, problem = 0, _size(partial), ""
    while failures < ATTEMPTS:
        try:
            if _receive(url, partial):
                return
            problem = "the connection broke"
        except HTTPError as error:
            error.close()  # it is the response
            answer = f"{error.code} {_one_line(error.reason)}"
            raise UserError(
                f"{url}: the server answers {answer}; try later, or download it by hand"
            ) from None
        except (URLError, HTTPException, ConnectionError, TimeoutError) as error:
            problem = _one_line(getattr(error, "reason", error)) or type(error).__name__
        failures = 0 if _size(partial) > largest else failures + 1
        largest = max(largest, _size(partial))
    raise UserError(f"{url}: {problem} after {_size(partial)} bytes; the same command continues from there")


def _one_line(reason: object) -> str:
    """What a server or library says, shortened to one line of printable characters."""
    line = " ".join(str(reason).split())[:200]
    return "".join(each if each.isprintable() else "?" for each in line)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _receive(url: str, partial: Path) -> bool:
    """One request. Returns whether the file is complete afterwards."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    have = _size(partial)
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        response = urlopen(Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()
        complete = error.headers.get("Content-Range") == f"bytes */{have}"
        if not complete:  # longer than the server's file, so not a part of it
            partial.unlink()
        return complete
    with response:
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        have = have if resumed else 0
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise UserError(
                f"{url}: the server sent a different part than requested; remove {partial} and try again"
            )
        length = response.headers.get("Content-Length")
        left = int(length) if length and length.isdecimal() else None
        _check_space(partial, left or 0)
        with open(partial, "ab" if resumed else "wb") as file:
            received = _copy(response, file, left, partial.stem)
    return left is None or received == left


def _copy(response: "HTTPResponse", file: BinaryIO, left: int | None, name: str) -> int:
    """Write the response to the file. Returns the number of bytes."""
    pieces: Iterator[bytes] = iter(lambda: response.read(CHUNK_BYTES), b"")
    total = (left or 0) // CHUNK_BYTES + 1
    return sum(
        file.write(piece) for piece in progress(pieces, total=total, label=f"download {name}", unit="MiB")
    )


def _check_space(path: Path, needed: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise UserError(
            f"{path.parent}: {needed / 1e9:.1f} GB needed and {free / 1e9:.1f} GB free; free some space"
        )
