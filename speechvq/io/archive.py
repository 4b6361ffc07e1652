"""Safe extraction of .zip and .tar.gz archives: only files and folders, inside the target, of limited size.

One rule covers both formats. It is stricter than tarfile's data filter, which accepts links and has no limit
of the total size. Other compressions are refused: their decoders take the memory that a file asks for.
"""

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PureWindowsPath
from stat import S_IFDIR, S_IFMT, S_IFREG
from typing import IO

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file, writing
from speechvq.io.tar_headers import CheckedTarInfo

MAX_MEMBERS = 1_000_000  # the largest subset of LibriSpeech has about 150,000
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Member:
    """One entry of an archive."""

    name: str
    size: int  # bytes, as declared in the archive
    is_folder: bool
    is_file: bool
    open: Callable[[], IO[bytes] | None]  # called after the member's checks


def extract(archive: Path, folder: Path, *, max_bytes: int | None = None) -> None:
    """Unpack a .zip, .tar or .tar.gz below `folder`, each file atomically.

    Args:
        archive: the file, verified by its checksum before, if one is known.
        folder: created if missing.
        max_bytes: limit of the unpacked size; None for four times the archive's size plus 64 MiB, since audio
            files are hardly compressible.

    Raises:
        UserError: the archive is damaged; a member has an absolute path or `..`, or is a link or a device;
            the unpacked size exceeds `max_bytes`.
    """
    limit = 4 * archive.stat().st_size + (64 << 20) if max_bytes is None else max_bytes
    walk = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    members = unpacked = 0
    with _damage_explained(archive), closing(walk(archive)) as found:
        for member in found:
            members, unpacked = members + 1, unpacked + member.size
            _check(member, archive)
            if unpacked > limit or members > MAX_MEMBERS:
                raise UserError(f"{archive}: would unpack to more than {limit} bytes; not unpacked further")
            _write(member, folder)


@contextmanager
def _damage_explained(archive: Path) -> Iterator[None]:
    damage = (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        OSError,
        RuntimeError,  # also NotImplementedError, of an unknown compression
        ValueError,
        LookupError,
        OverflowError,
    )
    try:
        yield
    except UserError:
        raise
    except damage as error:
        raise UserError(
            f"{archive}: damaged or not an archive ({_reason(error)}); remove it and download again"
        ) from None


def _reason(error: Exception) -> str:
    """A library's message, shortened to one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _check(member: _Member, archive: Path) -> None:
    path = PureWindowsPath(member.name)  # recognizes both slashes, drives and network shares
    nameless = member.is_file and not path.parts
    name = repr(member.name[:200])
    if nameless or path.drive or path.root or ".." in path.parts or set(member.name) & set("\0:"):
        raise UserError(f"{archive}: member {name} points outside the folder; do not use this archive")
    if not (member.is_folder or member.is_file):
        raise UserError(f"{archive}: member {name} is a link or device; do not use this archive")


def _write(member: _Member, folder: Path) -> None:
    target = folder / member.name
    if member.is_folder:
        with writing(target):
            target.mkdir(parents=True, exist_ok=True)
    elif content := member.open():
        with content, atomic_file(target) as temporary, open(temporary, "wb") as file:
            shutil.copyfileobj(content, file, _CHUNK_BYTES)


def _zip_members(archive: Path) -> Generator[_Member, None, None]:
    """Members of a zip file. zipfile reads no more than the declared size, and verifies the checksum."""
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            if not info.filename:
                raise zipfile.BadZipFile("a member without a name")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise zipfile.BadZipFile(f"compression method {info.compress_type}")
            kind = S_IFMT(info.external_attr >> 16)  # 0 if the archive was not made on Unix
            is_folder = info.is_dir() and kind in (0, S_IFDIR)
            is_file = not info.is_dir() and kind in (0, S_IFREG)
            yield _Member(info.filename, info.file_size, is_folder, is_file, partial(opened.open, info))


def _tar_members(archive: Path) -> Generator[_Member, None, None]:
    """Members of a tar file, read as a stream: large archives take minutes to decompress."""
    with open(archive, "rb") as file:
        is_compressed = file.read(2) == b"\x1f\x8b"  # gzip
    with tarfile.open(archive, "r|gz" if is_compressed else "r|", tarinfo=CheckedTarInfo) as opened:
        for info in opened:
            opener = partial(opened.extractfile, info)
            yield _Member(info.name, info.size, info.isdir(), info.isreg(), opener)
            opened.members.clear()  # type: ignore[attr-defined]  # otherwise this list grows with the archive
