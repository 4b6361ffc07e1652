"""Archives unpacked as if they were hostile: only files and folders, only inside, only what is declared."""

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
from speechvq.io.atomic import atomic_file

MAX_MEMBERS = 1_000_000  # the largest subset of LibriSpeech has about 150,000
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Member:
    """One entry of an archive, whatever its kind."""

    name: str
    size: int  # declared, bytes
    is_folder: bool
    is_file: bool
    open: Callable[[], IO[bytes] | None]  # only once the member was found harmless


def extract(archive: Path, folder: Path, *, max_bytes: int | None = None) -> None:
    """Unpack a .zip or .tar.gz below `folder`; each file is whole or absent.

    Args:
        archive: checked against its checksum before, where one is known.
        folder: made when missing.
        most_bytes: no more than this is unpacked; None takes four times the archive's size and 64 MiB, since
            sound that is packed already does not grow.

    Raises:
        UserError: the archive is damaged, or a member has an absolute path, a `..`, is a link or a device, or
            the whole would pass `most_bytes`.
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
        RuntimeError,
        NotImplementedError,
    )
    try:
        yield
    except damage as error:
        raise UserError(
            f"{archive}: damaged or no archive ({error}); remove it and download again"
        ) from error


def _check(member: _Member, archive: Path) -> None:
    path = PureWindowsPath(member.name)  # knows both slashes, drives and network shares
    nameless = member.is_file and not path.parts
    if nameless or path.drive or path.root or ".." in path.parts or set(member.name) & set("\0:"):
        raise UserError(
            f"{archive}: member {member.name!r} points outside the folder; do not use this archive"
        )
    if not (member.is_folder or member.is_file):
        raise UserError(f"{archive}: member {member.name!r} is a link or device; do not use this archive")


def _write(member: _Member, folder: Path) -> None:
    target = folder / member.name
    if member.is_folder:
        target.mkdir(parents=True, exist_ok=True)
    elif content := member.open():
        with content, atomic_file(target) as temporary, open(temporary, "wb") as file:
            shutil.copyfileobj(content, file, _CHUNK_BYTES)


def _zip_members(archive: Path) -> Generator[_Member, None, None]:
    """zipfile reads no more of a member than it declares, and compares its checksum."""
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = S_IFMT(info.external_attr >> 16)  # 0 where the archive was not made on Unix
            is_folder = info.is_dir() and kind in (0, S_IFDIR)
            is_file = not info.is_dir() and kind in (0, S_IFREG)
            yield _Member(info.filename, info.file_size, is_folder, is_file, partial(opened.open, info))


def _tar_members(archive: Path) -> Generator[_Member, None, None]:
    """Read as a stream, once: the larger subsets take minutes to decompress."""
    with tarfile.open(archive, "r|*") as opened:
        for info in opened:
            opener = partial(opened.extractfile, info)
            yield _Member(info.name, info.size, info.isdir(), info.isreg(), opener)
            opened.members.clear()  # else the list grows with the archive
