"""Tar headers took gigabytes; damaged pax fields and nameless members were tracebacks or ignored."""

import bz2
import gzip
import lzma
import resource
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from speechvq.errors import UserError
from speechvq.io.archive import extract


def huge_header(kind: bytes) -> bytes:
    """A tar header that announces a name or fields of 300 MB, which follow as zeros."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 300 << 20
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(info.size)


def pax(*records: bytes) -> bytes:
    """A tar file with an empty member "a" and these bytes as its pax header."""
    fields = b"".join(records)
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, len(fields)
    padded = fields + bytes(-len(fields) % 512)
    return info.tobuf(tarfile.USTAR_FORMAT) + padded + tarfile.TarInfo("a").tobuf() + bytes(1024)


def field(offset: int, value: bytes) -> bytes:
    """A tar file with a field of its header replaced, and a right checksum."""
    block = bytearray(tarfile.TarInfo("a").tobuf())
    block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block) + bytes(1024)


def nameless_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.filename = ""
        with archive.open(info, "w") as file:
            file.write(b"x")


def lzma_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"x" * 1000)


def zipped(content: Callable[[], bytes]) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(gzip.compress(content(), 1))


HOSTILE: dict[str, Callable[[Path], object]] = {
    "long name": zipped(lambda: huge_header(tarfile.GNUTYPE_LONGNAME)),
    "long link": zipped(lambda: huge_header(tarfile.GNUTYPE_LONGLINK)),
    "pax header": zipped(lambda: huge_header(tarfile.XHDTYPE)),
    "global pax header": zipped(lambda: huge_header(tarfile.XGLTYPE)),
    "pax size that is no number": zipped(lambda: pax(b"13 size=many\n")),
    "pax sparse map that is no number": zipped(lambda: pax(b"22 GNU.sparse.map=a,b\n")),
    "pax sparse size": zipped(lambda: pax(b"20 GNU.sparse.size=x\n")),
    "pax record without length": zipped(lambda: pax(b"path=../x\n")),
    "pax record that is too long": zipped(lambda: pax(b"99 path=b\n")),
    "pax record of length 0": zipped(lambda: pax(b"0 path=b\n")),
    "a sparse file": zipped(lambda: field(156, b"S")),
    "a negative size": zipped(lambda: field(124, b"\xff" * 12)),
    "a size that is no number": zipped(lambda: field(124, b"size_is_this")),
    "bz2": lambda path: path.write_bytes(bz2.compress(tarfile.TarInfo("a").tobuf() + bytes(400 << 20), 1)),
    "xz": lambda path: path.write_bytes(lzma.compress(tarfile.TarInfo("a").tobuf() + bytes(1024))),
    "zip member without a name": nameless_zip,
    "LZMA in a zip file": lzma_zip,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_one_line_in_bounded_memory(name: str, tmp_path: Path) -> None:
    HOSTILE[name](tmp_path / "archive")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UserError, match="archive: damaged or not an archive .*; remove it") as caught:
        extract(tmp_path / "archive", tmp_path / "out")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"
    assert not (tmp_path / "out").exists()


def test_pax_fields_are_applied_once(tmp_path: Path) -> None:
    (tmp_path / "archive").write_bytes(pax(b"22 comment=of no use!\n", b"14 path=b ue \n"))
    extract(tmp_path / "archive", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b ue "]


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_long_and_foreign_names(format: int, mode: str, tmp_path: Path) -> None:
    names = ["a" * 90 + "/" + "b" * 90, "ü/é.flac"]
    names += ["c" * 100 + "/" + "d" * 200] if format != tarfile.USTAR_FORMAT else []
    with tarfile.open(tmp_path / "archive", mode, format=format) as archive:  # type: ignore[call-overload]
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    extract(tmp_path / "archive", tmp_path / "out")
    assert all((tmp_path / "out" / name).is_file() for name in names)
