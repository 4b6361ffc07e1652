"""Malicious archives: no file outside the folder, and no more bytes than declared."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from speechvq.errors import UserError
from speechvq.io.archive import extract

GOOD = {"LibriSpeech/a/1.flac": b"one", "LibriSpeech/b c ü/2.flac": b"two" * 1000, "README": b""}


def make_zip(path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def make_tar(path: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def tar_special(kind: bytes, target: str = "") -> Callable[[Path], None]:
    """A tar with a member that is not a file, followed by a file whose path leads through it."""

    def make(path: Path) -> None:
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo("trap")
            info.type, info.linkname = kind, target
            archive.addfile(info)
            archive.addfile(tarfile.TarInfo("trap/file"), io.BytesIO())

    return make


def zip_link(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("trap")
        info.create_system, info.external_attr = 3, 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def zip_with_wrong_checksum(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.flac", b"sound sound")
    path.write_bytes(path.read_bytes().replace(b"sound sound", b"noise noise"))


def zip_that_understates(path: Path) -> None:
    """A megabyte that declares ten bytes, in both headers."""
    make_zip(path, {"a.flac": bytes(1 << 20)})
    size = (1 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (10).to_bytes(4, "little")))


def cut(make: Callable[[Path, dict[str, bytes]], None]) -> Callable[[Path], None]:
    def make_and_cut(path: Path) -> None:
        make(path, {"a.flac": bytes(range(256)) * 400})
        path.write_bytes(path.read_bytes()[:-300])

    return make_and_cut


def named(make: Callable[[Path, dict[str, bytes]], None], name: str) -> Callable[[Path], None]:
    return lambda path: make(path, {name: b"x"})


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "tar ..": (named(make_tar, "../escaped"), "outside"),
    "tar inner ..": (named(make_tar, "a/../../escaped"), "outside"),
    "tar absolute": (named(make_tar, "/tmp/escaped"), "outside"),
    "tar windows": (named(make_tar, "..\\escaped"), "outside"),
    "tar drive": (named(make_tar, "C:escaped"), "outside"),
    "tar symbolic link": (tar_special(tarfile.SYMTYPE, ".."), "link or device"),
    "tar hard link": (tar_special(tarfile.LNKTYPE, "/etc/passwd"), "link or device"),
    "tar device": (tar_special(tarfile.CHRTYPE), "link or device"),
    "tar pipe": (tar_special(tarfile.FIFOTYPE), "link or device"),
    "tar bomb": (lambda path: make_tar(path, {"zeros": bytes(66 << 20)}), "more than"),
    "tar cut off": (cut(make_tar), "damaged"),
    "zip ..": (named(make_zip, "../escaped"), "outside"),
    "zip absolute": (named(make_zip, "/tmp/escaped"), "outside"),
    "zip link": (zip_link, "link or device"),
    "zip bomb": (lambda path: make_zip(path, {"zeros": bytes(66 << 20)}), "more than"),
    "zip understated": (zip_that_understates, "damaged"),
    "zip wrong checksum": (zip_with_wrong_checksum, "damaged"),
    "zip cut off": (cut(make_zip), "damaged"),
    "web page": (lambda path: path.write_text("<html>"), "damaged"),
    "empty": (Path.touch, "damaged"),
}


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_valid_archives_are_unpacked(tmp_path: Path, make: Callable[..., None]) -> None:
    make(tmp_path / "archive", GOOD)
    extract(tmp_path / "archive", tmp_path / "out")
    for name, data in GOOD.items():
        assert (tmp_path / "out" / name).read_bytes() == data


@pytest.mark.parametrize("kind", HOSTILE)
def test_malicious_archives_write_no_files(tmp_path: Path, kind: str) -> None:
    make, reason = HOSTILE[kind]
    make(tmp_path / "archive")
    out = tmp_path / "deep" / "out"
    with pytest.raises(UserError, match=reason) as caught:
        extract(tmp_path / "archive", out)
    assert str(caught.value).startswith(f"{tmp_path / 'archive'}: ") and "\n" not in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "archive"]
    assert not Path("/tmp/escaped").exists()


def test_the_limit_applies_to_the_total_size(tmp_path: Path) -> None:
    make_tar(tmp_path / "archive", {str(number): bytes(100) for number in range(5)})
    with pytest.raises(UserError, match="more than 450 bytes"):
        extract(tmp_path / "archive", tmp_path / "out", max_bytes=450)


def test_folders_in_archives(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "archive", "w:gz") as archive:
        for name in ("./", "./LibriSpeech"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    extract(tmp_path / "archive", tmp_path / "out")
    assert (tmp_path / "out/LibriSpeech").is_dir()
