"""The manifest: a TSV file with one row per utterance. `prepare` writes it, and every command reads it."""

import hashlib
import io
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.errors import UserError, short_repr
from speechvq.io.atomic import write_bytes
from speechvq.io.names import is_file_name, is_one_line, normalized
from speechvq.io.reading import open_regular

COLUMNS = ("utt", "speaker", "split", "seconds", "path")
START = "start"  # an optional column
FILE_NAME = "manifest.tsv"


@dataclass(frozen=True)
class Utterance:
    """One row of a manifest: a recording of one sentence."""

    utt: str  # unique in the corpus, and a valid file name: its codes are in UTT.npy
    speaker: str  # a valid file name too: conversions are in SPEAKER/UTT.wav
    split: str  # train, dev, test, or unseen for speakers kept out of training
    seconds: float
    path: Path
    start: float = 0.0  # seconds that `prepare` cut from the beginning of the original recording

    @property
    def part(self) -> tuple[float, float]:
        """Where the recording lies in the original: its start and duration in seconds."""
        return self.start, self.seconds or math.inf


def read_manifest(path: str | Path) -> list[Utterance]:
    """The utterances of a manifest, in the order of the file.

    Args:
        path: manifest.tsv or its folder; paths in the file are relative to that folder.

    Raises:
        UserError: the file is missing or unreadable, a column is missing, or a line has an invalid number, an
            invalid name or a repeated utterance; the message names file and line.
    """
    path = _file(path)
    utterances: dict[str, Utterance] = {}
    for number, utterance in _rows(path):
        if utterance.utt in utterances:
            raise UserError(f"{path}: line {number}: utterance {utterance.utt} appears twice; remove one")
        utterances[utterance.utt] = utterance
    if not utterances:
        raise UserError(f"{path}: lists no utterances; run `python -m speechvq.prepare` again")
    return list(utterances.values())


def stream_manifest(path: str | Path) -> Iterator[Utterance]:
    """As `read_manifest`, one by one: for manifests of millions of utterances.

    The file is read twice, because repeated utterances are found first, by a hash of 8 bytes each.
    """
    path = _file(path)
    hashes = np.array(array("Q", (_hash(utterance.utt) for _, utterance in _rows(path))), np.uint64)
    values, counts = np.unique(hashes, return_counts=True)
    if (counts > 1).any():
        read_manifest(path)  # names the line
    if not len(hashes):
        raise UserError(f"{path}: lists no utterances; run `python -m speechvq.prepare` again")
    yield from (utterance for _, utterance in _rows(path))


def texts_beside(path: str | Path) -> Path | None:
    """The folder of the texts, txt/ beside a manifest as `prepare` writes it; None if there is none."""
    path = Path(path)
    folder = (path if path.is_dir() else path.parent) / "txt"
    return folder if folder.is_dir() else None


def write_manifest(path: str | Path, utterances: Iterable[Utterance]) -> None:
    """Write a manifest, sorted by utterance, atomically; paths below its folder become relative.

    The column `start` is written if a recording has been cut at its beginning.

    Raises:
        UserError: a name contains a control character or a slash, or the disk is full or not writable.
    """
    path = Path(path)
    ordered = sorted(utterances, key=lambda utterance: normalized(utterance.utt))
    rows: list[tuple[str, ...]] = [COLUMNS, *(_row(utterance, path.parent) for utterance in ordered)]
    if any(utterance.start for utterance in ordered):
        starts = [START, *(f"{utterance.start:.6f}" for utterance in ordered)]
        rows = [(*row, start) for row, start in zip(rows, starts)]
    for row in rows:
        if not all(map(is_one_line, row)):
            raise UserError(
                f"{path}: a tab or line break in {row!r}, or no UTF-8; rename the file or speaker"
            )
    write_bytes(path, "".join("\t".join(row) + "\n" for row in rows).encode())


def utterance_names(utterances: Iterable[Utterance]) -> dict[str, str]:
    """SPEAKER/UTT for each utterance by UTT, to be matched with the files of a folder."""
    return {utterance.utt: f"{utterance.speaker}/{utterance.utt}" for utterance in utterances}


def _file(path: str | Path) -> Path:
    path = Path(path)
    return path / FILE_NAME if path.is_dir() else path


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")


def _rows(path: Path) -> Iterator[tuple[int, Utterance]]:
    """The utterances and the numbers of their lines."""
    lines = _lines(path)
    columns = next(lines, "").split("\t")
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise UserError(
            f"{path}: line 1: no column {', '.join(missing)}; the header is {' '.join(COLUMNS)} (tabs)"
        )
    for number, row in enumerate(lines, start=2):
        if row.strip():
            where = f"{path}: line {number}"
            yield number, _utterance(row.split("\t"), columns, where=where, folder=path.parent)


def _lines(path: Path) -> Iterator[str]:
    try:
        with open_regular(path) as file, io.TextIOWrapper(file, "utf-8-sig") as text:
            for line in text:
                yield line.removesuffix("\n")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such manifest; make one with `python -m speechvq.prepare`") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text, so not a manifest; give the .tsv file") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the path and its mode") from error


def _utterance(values: Sequence[str], columns: Sequence[str], *, where: str, folder: Path) -> Utterance:
    if len(values) != len(columns):
        raise UserError(
            f"{where}: {len(values)} values for {len(columns)} columns; separate them by single tabs"
        )
    row = dict(zip(columns, values, strict=True))
    row |= {column: normalized(row[column]) for column in ("utt", "speaker", "split")}
    if not is_file_name(row["utt"]):
        raise UserError(f"{where}: {short_repr(row['utt'])} cannot name a file; use letters, digits, - and _")
    if not is_file_name(row["speaker"]):  # conversions go into a folder with the speaker's name
        raise UserError(
            f"{where}: {short_repr(row['speaker'])} cannot name a speaker; use letters, digits, - and _"
        )
    seconds, start = _seconds(row["seconds"], where), _seconds(row.get(START) or "0", where)
    path = (folder / row["path"]).resolve()
    return Utterance(row["utt"], row["speaker"], row["split"], seconds, path, start)


def _seconds(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise UserError(f"{where}: {text!r} is not a number of seconds; write for example 3.25")
    return seconds


def _row(utterance: Utterance, folder: Path) -> tuple[str, ...]:
    if not is_file_name(utterance.utt):
        raise UserError(f"{utterance.path}: {utterance.utt!r} cannot name an utterance; rename the file")
    path, folder = utterance.path.resolve(), folder.resolve()
    written = path.relative_to(folder) if path.is_relative_to(folder) else path
    names = normalized(utterance.utt), normalized(utterance.speaker), utterance.split
    return *names, f"{utterance.seconds:.4f}", written.as_posix()
