"""Checks of the headers of a tar file, whose sizes the standard library believes."""

import re
import tarfile
from typing import Any

MAX_HEADER_BYTES = 1 << 20  # of a long name or of pax fields; real ones are hundreds of bytes
_BLOCK = 512  # bytes
_LONG_NAMES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
_PAX = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n]+)=")


class CheckedTarInfo(tarfile.TarInfo):
    """A member whose headers are bounded and well-formed, for `tarfile.open(tarinfo=CheckedTarInfo)`.

    The library allocates what a header announces, and takes a damaged number or record as absent. Reading
    raises tarfile.ReadError instead.
    """

    def _proc_member(self, archive: Any) -> Any:
        """Called by the library with each header block."""
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a sparse file")
        if self.size < 0 or (self.type in (*_LONG_NAMES, *_PAX) and self.size > MAX_HEADER_BYTES):
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        if self.type not in _PAX:
            return super()._proc_member(archive)  # type: ignore[misc]
        fields = archive.fileobj.read(-(-self.size // _BLOCK) * _BLOCK)
        _check_records(fields[: self.size])
        stream, archive.fileobj = archive.fileobj, _Replay(fields, archive.fileobj)
        try:
            return super()._proc_member(archive)  # type: ignore[misc]
        finally:
            archive.fileobj = stream


class _Replay:
    """A stream whose last bytes are read once more."""

    def __init__(self, again: bytes, stream: Any) -> None:
        self._again, self._stream = again, stream

    def read(self, size: int) -> bytes:
        """The bytes to repeat at the first call, which asks for all of them; then those that follow."""
        again, self._again = self._again, b""
        return again or self._stream.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _check_records(fields: bytes) -> None:
    """Check the records "LENGTH KEY=VALUE" of a pax header.

    Raises:
        tarfile.ReadError: a record is damaged, or describes a sparse file, or a size that is no number.
    """
    position = 0
    while position < len(fields):
        record = _RECORD.match(fields, position)
        end = position + int(record[1]) if record else 0
        if not record or not record.end() < end <= len(fields) or fields[end - 1 : end] != b"\n":
            raise tarfile.ReadError("a damaged pax header")
        key, value = record[2], fields[record.end() : end - 1]
        if key.startswith(b"GNU.sparse") or (key == b"size" and not value.isdigit()):
            raise tarfile.ReadError(f"a pax header with {key.decode(errors='replace')}={value[:40]!r}")
        position = end
