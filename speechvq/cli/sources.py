"""The audio files that `--src` names: one file, a folder, or a manifest."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.audio.formats import AUDIO_SUFFIXES, walk_audio_files_below
from speechvq.audio.waveform import check_regular_file, read_audio
from speechvq.data.manifest import FILE_NAME, stream_manifest
from speechvq.errors import UserError
from speechvq.io.journal import Inputs, read_state
from speechvq.io.names import check_length, existing, normalized
from speechvq.io.utterance_files import relative_name
from speechvq.runtime.logging import logger


@dataclass(frozen=True)
class Source:
    """One input recording, and the name of its output."""

    name: str  # path of the output below --out, without extension; normalized, see `io.names`
    path: Path
    speaker: str = ""  # from a manifest; "" if unknown


def find_sources(src: Path, *, split: str = "", limit: int = 0, out: Path | None = None) -> list[Source]:
    """The recordings that `--src` names.

    Args:
        src: an audio file; a folder, see `audio_files_below`; a manifest, or a folder that contains one.
        split: only this split of the manifest; "" for all.
        limit: at most this many, evenly spaced over the list; 0 for all.
        out: folder of the results, if they are audio files; left out of the search below a folder.

    Raises:
        UserError: no audio files there, no such file, two files with the same name, or a folder that is
            `out` itself.
    """
    return list(SourceListing(src, split, limit, out))


@dataclass(frozen=True)
class SourceListing:
    """The recordings of `find_sources`, found one by one in each iteration; small, so that it can be sent."""

    src: Path
    split: str = ""
    limit: int = 0
    out: Path | None = None

    def __iter__(self) -> Iterator[Source]:
        """The recordings; raises UserError as `find_sources` does, also after some of them."""
        if self.limit < 0:
            raise UserError(f"--limit {self.limit}: give the number of recordings, or 0 for all")
        picks: set[int] | None = None
        if self.limit and self.limit < (count := sum(1 for _ in self._all())):
            picks = set(np.linspace(0, count - 1, self.limit).astype(int).tolist())
        found = False
        for i, source in enumerate(self._all()):
            found = True
            if picks is None or i in picks:
                yield source
        if not found:
            where = f"in split '{self.split}'" if self.split else f"({', '.join(sorted(AUDIO_SUFFIXES))})"
            raise UserError(
                f"{existing(self.src)}: no audio files {where}; give an audio file, a folder of them or a "
                "manifest"
            )

    def _all(self) -> Iterator[Source]:
        """All recordings, whatever the limit."""
        check_length(self.src)
        src, split = existing(self.src), normalized(self.split)
        if src.suffix == ".tsv" or (src / FILE_NAME).is_file():
            chosen = (u for u in stream_manifest(src) if split in ("", u.split))
            yield from (Source(u.utt, u.path, u.speaker) for u in chosen)
        elif src.is_dir():
            yield from _in_folder(src, self.out)
        else:
            check_regular_file(src)  # here, because the commands import PyTorch before they read
            yield Source(normalized(src.stem), src)


def check_not_overwritten(recordings: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Refuse output files that would replace an input recording, or whose name is too long.

    Raises:
        UserError: an output is one of the recordings, also by another path or link; a name over 255 bytes.
    """
    identities = {_identity(path) for path in recordings if path.exists()}
    for path in outputs:
        check_length(path)
        if path.exists() and _identity(path) in identities:
            raise UserError(f"{path}: is a source recording and would be replaced; choose another --out")


def _identity(path: Path) -> tuple[int, int]:
    """Device and number of an existing file: equal for all links to it."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _in_folder(folder: Path, out: Path | None) -> Iterator[Source]:
    """All audio files below a folder, without those in `out` and hidden files such as macOS's `._*`."""
    results = out.resolve() if out else None
    if results == folder.resolve():
        raise UserError(
            f"{folder}: the results would be taken as recordings by the next call; choose another --out"
        )
    is_inside = results is not None and results.is_relative_to(folder.resolve())
    names = _UniqueNames(folder)
    for path in walk_audio_files_below(folder):
        if is_inside and results and path.resolve().is_relative_to(results):
            continue
        names.add(path)
        yield Source(relative_name(path, folder), path)


class _UniqueNames:
    """Refuses two recordings of one name; remembers the names in the folders that are being walked."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: list[tuple[Path, dict[str, Path]]] = [(root, {})]  # from the root to the current folder

    def add(self, path: Path) -> None:
        """
        Raises:
            UserError: the output of an earlier recording has the same name.
        """
        folders = [self._root / each for each in reversed(path.relative_to(self._root).parents)]
        while self._open[-1][0] not in folders:
            self._open.pop()
        for folder in folders[len(self._open) :]:
            self._enter(f"{normalized(folder.name)}/", folder)
            self._open.append((folder, {}))
        self._enter(normalized(path.stem), path)

    def _enter(self, name: str, path: Path) -> None:
        other = self._open[-1][1].setdefault(name, path)
        if other != path:
            raise UserError(f"{path} and {other.name}: their outputs would have the same name; rename one")


def read_sources(sources: list[Source], *, required: bool = True) -> Iterator[tuple[Source, np.ndarray]]:
    """Read recordings one by one as samples (T,) at 16 kHz, and log conversions of the format.

    A damaged file among several is logged and skipped.

    Args:
        sources: the recordings.
        required: whether it is an error if none can be read.

    Raises:
        UserError: no recording could be read.
    """
    good = 0
    for source in sources:
        try:
            audio = read_audio(source.path)
        except UserError as error:
            if required and len(sources) == 1:
                raise
            logger.warning("skipped: %s", error)
            continue
        good += 1
        if change := audio.change():
            logger.info("%s: %s", source.path, change)
        yield source, audio.samples
    if required and not good:
        raise UserError(f"none of {len(sources)} recordings could be read")


def read_tracked_sources(
    sources: Iterable[Source], failures: list[str]
) -> Iterator[tuple[Source, np.ndarray, Inputs]]:
    """Read recordings one by one, and log conversions of the format.

    Args:
        sources: the recordings.
        failures: receives a line for each recording that cannot be read; it is left out.

    Yields:
        A recording, its samples (T,) at 16 kHz, and the state of its file for `io.journal`.
    """
    for source in sources:
        inputs = read_state([source.path])
        try:
            audio = read_audio(source.path)
        except UserError as error:
            failures.append(str(error))
            continue
        if change := audio.change():
            logger.info("%s: %s", source.path, change)
        yield source, audio.samples, inputs
