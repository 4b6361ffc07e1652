"""The codes directory: `meta.json`, and integers (N,) per utterance, from any program.

The codes of an utterance are a file `UTT.npy`, or a row of a Parquet or text shard; see `data.unit_formats`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from speechvq.data.repeated_codes import NeighborCounts, Neighbors
from speechvq.data.unit_formats.row import MAX_LENGTH
from speechvq.data.unit_formats.shards import SUFFIXES, Place, read_place, shard_places
from speechvq.data.unit_formats.unit_files import UnitFiles, find_unit_files, unit_files_of
from speechvq.data.utterance_directory import UtteranceDirectory
from speechvq.errors import UserError, short_repr
from speechvq.io.reading import open_regular
from speechvq.runtime.logging import logger

META = "meta.json"
FRAME_RATE, NUM_CODES = "frame_rate_hz", "num_codes"  # required keys of meta.json
# Optional keys, which `encode` writes.
CODEBOOK = "codebook"  # fingerprint of the codebook
FORMAT = "format"  # parquet or text; npy if it is missing
DEDUPLICATED = "deduplicated"  # true if each run of equal codes is one code with a duration
STYLE = "style"  # of text, see `data.unit_formats.text`
FEATURES = "features"  # D, in place of the number of codes: the units are vectors (N, D)

_EXAMPLE = f'{{"{FRAME_RATE}": 50, "{NUM_CODES}": 100}}'
MAX_NUM_CODES = 2**20  # K; wav2vec 2.0 has 102,400 (two groups of 320), and tables over K fit into memory
MIN_FRAME_RATE, MAX_FRAME_RATE = 0.1, 100_000.0  # Hz
_MAX_META_BYTES = 1 << 20


class CodesPlace(NamedTuple):
    """Where the codes of an utterance are."""

    utterance: str
    where: Path | Place  # a .npy file, or a row of a shard

    def __str__(self) -> str:
        """The file, and the utterance if it holds others."""
        place = self.where
        return f"{place.path}: utterance {self.utterance}" if isinstance(place, Place) else str(place)

    def read(self, num_codes: int) -> np.ndarray:
        """The codes, (N,), int64 in [0, num_codes), one per frame; errors as of `CodesDirectory.read`."""
        if isinstance(self.where, Place):
            return checked_codes(read_place(self.where), num_codes, self)
        return read_codes(self.where, num_codes)


@dataclass(frozen=True)
class CodesDirectory(UtteranceDirectory):
    """An open codes directory; codes are read on demand."""

    num_codes: int  # K
    codebook: str = ""  # fingerprint of the codebook; "" if unknown
    neighbors: NeighborCounts | None = field(default=None, compare=False)  # of the codes read so far

    def read(self, utterance: str) -> np.ndarray:
        """The codes of an utterance, (N,), int64 in [0, K), one per frame.

        Raises:
            UserError: the file is truncated, is not an array of integers (N,), or has codes out of range.
        """
        codes = self.place(utterance).read(self.num_codes)
        if self.neighbors is not None:
            self.neighbors.add(codes)
        return codes

    def place(self, utterance: str) -> "CodesPlace":
        """Where the codes of an utterance are; small, so that it can be sent to another process."""
        return CodesPlace(utterance, self.units.places.get(utterance, self.files[utterance]))

    def add_neighbors(self, counts: Neighbors) -> None:
        """Count the codes of an utterance that another process has read."""
        if self.neighbors is not None:
            self.neighbors.add_counts(counts)

    def warn_if_deduplicated(self) -> None:
        """Log a line if no two neighbors are equal in all codes that were read."""
        if self.neighbors is not None and self.neighbors.deduplicated():
            logger.warning(
                "%s: no two neighboring codes are equal, so these seem to be deduplicated units; their times "
                "and rates are wrong, write one code per frame",
                self.path,
            )


def open_codes(directory: Path) -> CodesDirectory:
    """Read `meta.json` and list the utterances, recursively.

    Raises:
        UserError: no such folder, `meta.json` missing or invalid, no codes, or two files of one utterance.
    """
    if not directory.is_dir() or not (directory / META).exists():
        find_unit_files(directory, None, what="codes")  # reports that there are no codes at all
    meta = read_meta(directory / META, _EXAMPLE)
    units = find_unit_files(directory, meta.get(FORMAT), what="codes")
    return _described(directory, meta, units)


def describe_codes(directory: Path) -> CodesDirectory:
    """A codes directory by its `meta.json` alone, without its utterances; errors as of `open_codes`."""
    return _described(directory, read_meta(directory / META, _EXAMPLE), UnitFiles({}, {}))


@dataclass(frozen=True)
class CodesListing:
    """The utterances of a codes directory, sorted by name, found when they are iterated over."""

    directory: Path

    def __iter__(self) -> Iterator[CodesPlace]:
        """The places; raises UserError as `open_codes` does."""
        codes = open_codes(self.directory)
        return (codes.place(name) for name in sorted(codes.files))


def _described(directory: Path, meta: Mapping[str, Any], units: UnitFiles) -> CodesDirectory:
    count = meta.get(NUM_CODES)
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= MAX_NUM_CODES:
        raise UserError(
            f"{directory / META}: {NUM_CODES} is {short_repr(count)}; expected the codebook's size, 1 to "
            f"{MAX_NUM_CODES}, as in {_EXAMPLE}"
        )
    rate, codebook = float(meta[FRAME_RATE]), str(meta.get(CODEBOOK, ""))
    return CodesDirectory(directory, rate, units, count, codebook, NeighborCounts(count))


def open_codes_of_model(path: Path, *, num_codes: int, frame_rate_hz: float, codebook: str) -> CodesDirectory:
    """Open codes for a model that decodes them.

    Args:
        path: a codes directory; or a `.npy`, `.parquet` or `.txt` file, which needs no `meta.json`.
        num_codes: K, of the model.
        frame_rate_hz: of the model.
        codebook: its fingerprint.

    Raises:
        UserError: no codes there, or codes of another model.
    """
    if path.is_dir():
        found = open_codes(path)
        differs = found.num_codes != num_codes or found.frame_rate_hz != frame_rate_hz
        if differs or (found.codebook and found.codebook != codebook):
            raise UserError(
                f"{path}: codes of another model ({found.num_codes} codes, {found.frame_rate_hz:g} per "
                f"second); give the --model that made them"
            )
        return found
    if not path.is_file() or path.suffix.lower() not in SUFFIXES.values():
        raise UserError(f"{path}: no codes; give a codes directory, or a .npy, .parquet or .txt file")
    if path.suffix.lower() == SUFFIXES["npy"]:
        units = UnitFiles({path.stem: path}, {path.stem: path.stem})
    else:
        units = unit_files_of(shard_places([path]))
    if not units.files:
        raise UserError(f"{path}: holds no utterance")
    return CodesDirectory(path, frame_rate_hz, units, num_codes)


def read_codes(path: Path, num_codes: int) -> np.ndarray:
    """The codes of a file, (N,), int64 in [0, num_codes).

    Raises:
        UserError: the file is truncated, is not an array of integers (N,), or has codes out of range.
    """
    try:
        # A memory map cannot take more memory than the file has bytes, whatever the header says.
        with np.errstate(over="ignore"):  # of the product of a hostile shape
            codes = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check its mode") from error
    except Exception as error:  # the header is Python text, and its parser raises all kinds of errors
        raise UserError(
            f"{path}: not a complete .npy file of integers; write it again with numpy.save"
        ) from error
    if codes.dtype.kind not in "iu":
        raise UserError(f"{path}: expected integers, found {codes.dtype}; save codes.astype(numpy.int64)")
    if codes.ndim != 1:
        raise UserError(f"{path}: expected shape (N,), found {codes.shape}; save one code per frame")
    if len(codes) > MAX_LENGTH:
        raise UserError(f"{path}: {len(codes)} codes, which is more than a recording has; encode it again")
    return checked_codes(codes, num_codes, path)


def checked_codes(codes: np.ndarray, num_codes: int, where: object) -> np.ndarray:
    """Integers (N,) as int64, all in [0, num_codes).

    Args:
        where: their file, for the message.

    Raises:
        UserError: a code out of range.
    """
    wrong = np.flatnonzero((codes < 0) | (codes >= num_codes))
    if len(wrong):
        raise UserError(
            f"{where}: code {codes[wrong[0]]} at frame {wrong[0]}; {META} allows 0 to {num_codes - 1}"
        )
    return np.array(codes, np.int64)


def read_meta(path: Path, example: str) -> dict[str, Any]:
    """Content of a `meta.json`, with a valid frame rate.

    Args:
        path: the file.
        example: a valid content, for messages.

    Raises:
        UserError: the file is missing, unreadable or no JSON object, or its frame rate is invalid.
    """
    try:
        with open_regular(path) as file:
            meta = json.loads(file.read(_MAX_META_BYTES))
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; write it beside the .npy files, for example {example}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON; expected for example {example}") from error
    if not isinstance(meta, dict):
        raise UserError(f"{path}: not a JSON object; expected for example {example}")
    rate = meta.get(FRAME_RATE)
    if (
        isinstance(rate, bool)
        or not isinstance(rate, (int, float))
        or not MIN_FRAME_RATE <= rate <= MAX_FRAME_RATE
    ):
        raise UserError(
            f"{path}: {FRAME_RATE} is {short_repr(rate)}; expected frames per second, {MIN_FRAME_RATE:g} to "
            f"{MAX_FRAME_RATE:g}, as in {example}"
        )
    return meta
