"""A folder of shards: which utterance is in which shard, and the writer that keeps each utterance once.

Shards are `OUT/data/part-00000.parquet` or `.txt`. A shard is written atomically and never appended to.
A later call puts new utterances into new shards. An utterance that is encoded again moves to a new shard, and
its old shard is written again without it.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from speechvq.data.unit_formats import parquet, text
from speechvq.data.unit_formats.row import Row, deduplicate, frames_of
from speechvq.data.unit_formats.shard_index import ShardIndex
from speechvq.errors import UserError, short_repr
from speechvq.io.atomic import remove_file
from speechvq.io.folder_lock import folder_lock
from speechvq.io.folders import files_below
from speechvq.io.journal import Inputs, Journal
from speechvq.io.names import is_file_name

Format: TypeAlias = Literal["npy", "parquet", "text"]
SUFFIXES: dict[str, str] = {"npy": ".npy", "parquet": parquet.SUFFIX, "text": text.SUFFIX}
FOLDER = "data"
ROWS, VALUES = 1_000, 1 << 24  # of a shard, at most: utterances, and numbers; bound the memory


class Place(NamedTuple):
    """Where a row is."""

    path: Path
    group: int  # row group of a Parquet file
    row: int  # in the group


class PendingRow(NamedTuple):
    """A row to write, and the state of the file that it was made from."""

    row: Row
    inputs: Inputs


def shard_places(paths: Iterable[Path]) -> dict[str, Place]:
    """The place of each utterance of some shards.

    Raises:
        UserError: a damaged shard, or an utterance in two places.
    """
    found: dict[str, Place] = {}
    for path in paths:
        for group, names in enumerate(shard_names(path)):
            for index, name in enumerate(names):
                if not is_utterance_name(name):
                    raise UserError(f"{path}: {short_repr(name)} cannot name an utterance; rename it")
                other = found.setdefault(name, Place(path, group, index))
                if other != (path, group, index):
                    raise UserError(
                        f"{path} and {other.path}: both hold utterance {name}; run the same encode command "
                        "again, or remove one"
                    )
    return found


def is_utterance_name(name: str) -> bool:
    """Whether a name can be that of a file below a folder, as results of the utterance are written."""
    return all(map(is_file_name, name.split("/")))


def shard_names(path: Path) -> list[list[str]]:
    """Names of the utterances of a shard, a list for each row group."""
    if path.suffix.lower() == parquet.SUFFIX:
        return parquet.parquet_names(path)
    return [[row.utt for row in text.read_text_shard(path)]]


def read_place(place: Place, column: str = parquet.CODES) -> np.ndarray:
    """The codes (N,) or features (N, C) of a row, one per frame.

    Raises:
        UserError: a damaged shard.
    """
    try:
        status = place.path.stat()
    except OSError as error:
        raise UserError(f"{place.path}: cannot be read ({error.strerror or error})") from error
    rows = _rows(place.path, place.group, column, (status.st_mtime_ns, status.st_size))
    if place.row >= len(rows):
        raise UserError(f"{place.path}: changed while it was read; run the command again")
    return frames_of(rows[place.row], place.path)


@lru_cache(maxsize=4)  # utterances are mostly read in the order of the shards
def _rows(path: Path, group: int, column: str, state: tuple[int, int]) -> list[Row]:
    """All rows of a row group; `state` is that of the file, so that a new file is read anew."""
    if path.suffix.lower() == parquet.SUFFIX:
        return parquet.read_parquet_group(path, group, column)
    return text.read_text_shard(path)


class ShardWriter:
    """Writes rows into new shards of a folder; use it in a `with` block, which writes the last shard.

    The last shard is also written after Ctrl-C, so only a killed process loses rows.
    """

    def __init__(
        self,
        out: Path,
        journal: Journal,
        meta: Mapping[str, Any],
        *,
        part: str = "part",
    ) -> None:
        """
        Args:
            out: the units directory.
            journal: of that folder.
            meta: content of `meta.json`.
            part: beginning of the shards' names; processes that write at the same time need different ones.

        Raises:
            UserError: the extra is missing, or a shard that is there is damaged.
        """
        self.out, self.journal, self.meta, self.part = out, journal, meta, part
        self.suffix = SUFFIXES[meta["format"]]
        if self.suffix == parquet.SUFFIX:
            parquet.check_extra()
        self._pending: list[PendingRow] = []
        folder = out / FOLDER
        below = files_below(folder, [self.suffix]) if folder.is_dir() else []
        existing = [path for path in below if path.is_file()]
        self._earlier = ShardIndex((path, chain.from_iterable(shard_names(path))) for path in existing)
        numbers = [path.stem.rpartition("-")[2] for path in existing if path.stem.startswith(f"{part}-")]
        self.next_number = max((int(number) + 1 for number in numbers if number.isdecimal()), default=0)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.flush()

    def add(self, name: str, speaker: str, values: np.ndarray, inputs: Inputs) -> None:
        """Add an utterance; its shard is written when it is full.

        Raises:
            UserError: a name that the formats cannot hold; see also `write`.
        """
        if not is_utterance_name(name):
            raise UserError(f"{short_repr(name)} cannot name an utterance in a shard; rename the file")
        row = Row(name, speaker, values)
        if self.meta.get("deduplicated"):
            row = Row(name, speaker, *deduplicate(values))
        self._pending.append(PendingRow(row, inputs))
        size = sum(each.row.values.size for each in self._pending)
        if len(self._pending) >= ROWS or size >= VALUES:
            self.flush()

    def flush(self) -> None:
        """Write the rows that were added since the last shard."""
        if self._pending:
            self.write(self.next_number, self._pending)
            self._pending = []

    def write(self, number: int, pending: Sequence[PendingRow]) -> None:
        """Write a shard, remove its utterances from earlier shards, and enter them into the journal.

        If the process is killed in between, the journal lacks the utterances, and the next call writes them
        again and removes what was left.

        Args:
            number: of the shard; `next_number` or higher.
            pending: its rows.

        Raises:
            UserError: the disk is full or not writable, or another process replaces rows at the same time.
        """
        path = self.out / FOLDER / f"{self.part}-{number:05d}{self.suffix}"
        self.next_number = max(self.next_number, number + 1)
        self._save(path, [row for row, _ in pending])
        replaced = {each.row.utt for each in pending if self._earlier.shards(each.row.utt)}
        if replaced:
            with folder_lock(self.out, "replace"):
                self._remove(replaced)
        for row, inputs in pending:
            self.journal.add(row.utt, inputs, [path])

    def _save(self, path: Path, rows: Sequence[Row]) -> None:
        if self.suffix == parquet.SUFFIX:
            parquet.write_parquet_shard(path, rows, self.meta)
        else:
            text.write_text_shard(path, rows, self.meta.get("style", "fairseq"))

    def _remove(self, utterances: set[str]) -> None:
        """Write earlier shards again without some utterances, and state their new sizes in the journal."""
        finished = self.journal.read()
        shards = {path for name in utterances for path in self._earlier.shards(name)}
        for path in sorted(path for path in shards if path.exists()):
            rows = self._read(path)
            kept = [row for row in rows if row.utt not in utterances]
            if len(kept) == len(rows):
                continue
            valid = [name for row in kept if finished.has_output(name := row.utt, path)]
            if kept:
                self._save(path, kept)
                for name in valid:
                    finished.restate(name)
            else:
                remove_file(path)

    def _read(self, path: Path) -> list[Row]:
        if self.suffix == text.SUFFIX:
            return text.read_text_shard(path)
        column = parquet.FEATURES if "features" in self.meta else parquet.CODES
        groups = range(len(parquet.parquet_names(path)))
        return [row for group in groups for row in parquet.read_parquet_group(path, group, column)]
