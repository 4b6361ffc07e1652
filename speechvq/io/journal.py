"""The journal of an output folder: which results are finished, and what each was made from.

A command that makes one result per input skips those that are finished and unchanged. A result is unchanged
if its inputs are those of the journal, by size and modification date or else by content; if the settings are
the same; and if its files have the sizes of the journal. Otherwise it is made again. Files that people
correct by hand, such as labels, may have any size.

`FOLDER/.finished.jsonl` has one JSON object per result, appended when the result is finished:

    name      of the result
    settings  digest of everything but the inputs that determines it: model, seed, options
    inputs    path, size, modification date (ns) and digest of the content of each input
    outputs   path below the folder and size of each file of the result; size null for any size
    time      when the inputs were read (ns)
    details   what the command needs to know of a finished result

A line is appended by one call of the system and under a lock, so processes on several computers can write; an
incomplete line, which a power cut may leave, is ignored, and a later line replaces an earlier one of the same
name. What is kept in memory is a hash and a position, 16 bytes per result.
"""

import errno
import hashlib
import json
import os
import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speechvq.io.atomic import writing
from speechvq.io.reading import open_regular
from speechvq.runtime.file_lock import lock_file

FILE_NAME = ".finished.jsonl"
_CHUNK_BYTES = 1 << 20
# File systems count time in steps. A file that was changed so shortly before it was read may have changed
# again without a new date, so its content decides.
_DATE_STEP_NS = 2_000_000_000


class InputState(NamedTuple):
    """An input file at the time when it was read."""

    path: str
    size: int
    modified_ns: int
    digest: str


@dataclass(frozen=True)
class Inputs:
    """The state of all inputs of a result."""

    files: tuple[InputState, ...]
    time_ns: int  # when they were read


@dataclass(frozen=True)
class Entry:
    """A finished result."""

    settings: str
    inputs: Inputs
    outputs: Mapping[str, int | None]  # size by path below the folder; None for any size but 0
    details: Mapping[str, Any] = field(default_factory=dict)


def settings_digest(settings: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits that identify settings, which are plain data."""
    return _digest(json.dumps(settings, sort_keys=True).encode())


def read_state(paths: Sequence[Path]) -> Inputs:
    """The state of input files. Call it before the files are used, so that a later change is noticed.

    A file that cannot be read gets a state that no file has, so its result is always made again.
    """
    return Inputs(tuple(map(_state, paths)), time.time_ns())


def listing_digest(paths: Iterable[Path], folder: Path) -> str:
    """Sixteen hexadecimal digits for many files at once: their paths below a folder, sizes and dates.

    Raises:
        OSError: a file is missing.
    """
    status = {str(path.relative_to(folder)): path.stat() for path in paths}
    return settings_digest({name: (each.st_size, each.st_mtime_ns) for name, each in status.items()})


class Journal:
    """Appends to the journal of a folder. It is small, so it can be sent to other processes."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """
        Args:
            folder: of the results.
            settings: everything but the inputs that determines the results; plain data.
        """
        self.folder, self.settings = folder, settings_digest(settings)

    def add(
        self,
        name: str,
        inputs: Inputs,
        outputs: Iterable[Path],
        *,
        editable: Iterable[Path] = (),
        settings: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Append a result whose files are complete.

        Args:
            name: of the result, unique in the folder.
            inputs: their state before they were used.
            outputs: the files of the result, below the folder.
            editable: further files of the result, which may be corrected by hand.
            settings: digest of settings of this result alone.
            details: plain data that `Finished.find` returns.

        Raises:
            UserError: the disk is full or not writable.
        """
        found: dict[str, int | None] = dict.fromkeys(map(self._below, outputs), 0)
        found |= dict.fromkeys(map(self._below, editable))
        self.append(name, Entry(self.settings + settings, inputs, found, details or {}))

    def append(self, name: str, entry: Entry) -> None:
        """Append an entry; outputs whose size is not None get their present size.

        Raises:
            UserError: the disk is full or not writable.
        """
        line = {
            "name": name,
            "settings": entry.settings,
            "inputs": entry.inputs.files,
            "outputs": {
                path: None if size is None else (self.folder / path).stat().st_size
                for path, size in entry.outputs.items()
            },
            "time": entry.inputs.time_ns,
            "details": entry.details,
        }
        _append(self.folder / FILE_NAME, json.dumps(line).encode())

    def _below(self, path: Path) -> str:
        return str(path.relative_to(self.folder))

    def size(self) -> int:
        """Bytes of the journal now; with it, `read` gives the same results later."""
        try:
            return (self.folder / FILE_NAME).stat().st_size
        except OSError:
            return 0

    def read(self, size: int | None = None) -> "Finished":
        """The finished results of this and earlier calls.

        Args:
            size: bytes of the journal that are read; None for all.
        """
        return Finished(self, size)

    def is_current(self, entry: Entry, inputs: Sequence[Path], *, settings: str = "") -> bool:
        """Whether a result is unchanged; arguments as of `Finished.find`."""
        if entry.settings != self.settings + settings:
            return False
        return _are_unchanged(inputs, entry.inputs) and self.has_outputs(entry)

    def has_outputs(self, entry: Entry) -> bool:
        """Whether the files of a result exist and have its sizes; a power cut can leave truncated ones."""
        try:
            sizes = {path: (self.folder / path).stat().st_size for path in entry.outputs}
        except OSError:
            return False
        return all(
            size == entry.outputs[path] if entry.outputs[path] is not None else size > 0
            for path, size in sizes.items()
        )


class Finished:
    """The finished results of a folder. Memory holds their places in the file; entries are read on demand."""

    def __init__(self, journal: Journal, size: int | None = None) -> None:
        self._journal, self._path = journal, journal.folder / FILE_NAME
        self._hashes, self._offsets = _read_places(self._path, size)

    def entry(self, name: str) -> Entry | None:
        """The newest entry of a result, also of other inputs or settings; None if it was never finished."""
        place = int(np.searchsorted(self._hashes, _name_hash(name)))
        if place == len(self._hashes) or int(self._hashes[place]) != _name_hash(name):
            return None
        try:
            with open_regular(self._path) as file:
                file.seek(int(self._offsets[place]))
                found = _parse(file.readline())
        except OSError:
            return None
        return found[1] if found is not None and found[0] == name else None

    def find(self, name: str, inputs: Sequence[Path], *, settings: str = "") -> Entry | None:
        """The entry of a result that is finished and unchanged; None if it has to be made.

        Args:
            name: of the result.
            inputs: its input files, in the order of `Journal.add`.
            settings: digest of settings of this result alone.
        """
        entry = self.entry(name)
        if entry is None or not self._journal.is_current(entry, inputs, settings=settings):
            return None
        return entry

    def __contains__(self, name: str) -> bool:
        """Whether the result was ever finished, also with other inputs or settings."""
        return self.entry(name) is not None

    def has_output(self, name: str, path: Path) -> bool:
        """Whether a file is one of the outputs of a finished result, and has its size."""
        entry = self.entry(name)
        below = str(path.relative_to(self._journal.folder))
        return entry is not None and below in entry.outputs and self._journal.has_outputs(entry)

    def restate(self, name: str) -> None:
        """Append a result again with the present sizes of its outputs, which hold other results too.

        Raises:
            UserError: the disk is full or not writable.
        """
        if (entry := self.entry(name)) is not None:
            self._journal.append(name, entry)


def _are_unchanged(paths: Sequence[Path], before: Inputs) -> bool:
    if len(paths) != len(before.files):
        return False
    try:
        return all(_is_unchanged(*each, before.time_ns) for each in zip(paths, before.files))
    except OSError:
        return False


def _is_unchanged(path: Path, before: InputState, time_ns: int) -> bool:
    status = path.stat()
    if status.st_size != before.size:
        return False
    same_date = (_key(path), status.st_mtime_ns) == (before.path, before.modified_ns)
    if same_date and before.modified_ns < time_ns - _DATE_STEP_NS:
        return True
    return _content_digest(path) == before.digest


def _state(path: Path) -> InputState:
    try:
        status = path.stat()
        return InputState(_key(path), status.st_size, status.st_mtime_ns, _content_digest(path))
    except OSError:
        return InputState(_key(path), -1, 0, "")


def _key(path: Path) -> str:
    return str(path.absolute())


def _content_digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=8)
    with open_regular(path) as file:
        while piece := file.read(_CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _append(path: Path, line: bytes) -> None:
    """Append a line by one call; an incomplete line before it, which is ignored, is ended first."""
    with writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            # Other writers wait until the file is closed; on NFS this also makes their lines visible.
            lock_file(descriptor, wait=True)
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            line = b"\n" * torn + line + b"\n"
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(descriptor)


def _read_places(path: Path, size: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of all names, sorted, and where the newest line of each begins; (M,) each.

    Unreadable lines are left out, so their results are made again.
    """
    hashes, offsets, offset = array("Q"), array("q"), 0
    try:
        with open_regular(path) as file:
            for line in file:
                if size is not None and offset >= size:
                    break
                if (found := _parse(line)) is not None:
                    hashes.append(_name_hash(found[0]))
                    offsets.append(offset)
                offset += len(line)
    except OSError:
        pass
    unique, last = np.unique(np.array(hashes, np.uint64)[::-1], return_index=True)
    return unique, np.array(offsets, np.int64)[::-1][last]


def _name_hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


def _parse(line: bytes) -> tuple[str, Entry] | None:
    """Name and entry of a line; None for one that is incomplete or not of a journal."""
    try:
        found = json.loads(line)
        files = tuple(InputState(str(a), int(b), int(c), str(d)) for a, b, c, d in found["inputs"])
        return str(found["name"]), Entry(
            str(found["settings"]),
            Inputs(files, int(found["time"])),
            {str(name): size and int(size) for name, size in found["outputs"].items()},
            dict(found["details"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        return None
