"""The codes directory: `meta.json` and one `UTT.npy` of integers (N,) per utterance, from any program."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.data.repeated_codes import NeighborCounts
from speechvq.errors import UserError, short_repr
from speechvq.io.atomic import atomic_file
from speechvq.io.reading import open_regular
from speechvq.io.utterance_files import by_utterance, find_files, match_names, relative_names
from speechvq.runtime.logging import logger

META = "meta.json"
FRAME_RATE, NUM_CODES = "frame_rate_hz", "num_codes"  # required keys of meta.json
CODEBOOK = "codebook"  # an optional key, which `encode` writes

_EXAMPLE = f'{{"{FRAME_RATE}": 50, "{NUM_CODES}": 100}}'
MAX_NUM_CODES = 2**20  # K; wav2vec 2.0 has 102,400 (two groups of 320), and tables over K fit into memory
MIN_FRAME_RATE, MAX_FRAME_RATE = 0.1, 100_000.0  # Hz
_MAX_LENGTH = 100_000_000  # codes of an utterance, 23 days at 50 Hz; bounds the memory of a damaged file
_MAX_META_BYTES = 1 << 20


@dataclass(frozen=True)
class CodesDirectory:
    """An open codes directory; codes are read on demand."""

    path: Path
    frame_rate_hz: float  # codes per second
    num_codes: int  # K
    files: Mapping[str, Path]  # by utterance, see `by_utterance`
    codebook: str = ""  # fingerprint of the codebook; "" if unknown
    neighbors: NeighborCounts | None = field(default=None, compare=False)  # of the codes read so far

    @property
    def names(self) -> dict[str, str]:
        """Path of each utterance below the folder, without ending, to be matched with other files."""
        return relative_names(self.files, self.path)

    def named_as(self, names: Mapping[str, str]) -> "CodesDirectory":
        """The utterances that are in `names` too, by the keys of `names`; see `match_names`.

        Raises:
            UserError: a file could be one of several.
        """
        matched = match_names(names, self.names)
        return dataclasses.replace(self, files={key: self.files[own] for key, own in matched.items()})

    def read(self, utterance: str) -> np.ndarray:
        """The codes of an utterance, (N,), int64 in [0, K).

        Raises:
            UserError: the file is truncated, is not an array of integers (N,), or has codes out of range.
        """
        codes = read_codes(self.files[utterance], self.num_codes)
        if self.neighbors is not None:
            self.neighbors.add(codes)
        return codes

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
    files = by_utterance(find_files(directory, [".npy"], what="codes"), directory)
    meta = read_meta(directory / META, _EXAMPLE)
    count = meta.get(NUM_CODES)
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= MAX_NUM_CODES:
        raise UserError(
            f"{directory / META}: {NUM_CODES} is {short_repr(count)}; expected the codebook's size, 1 to "
            f"{MAX_NUM_CODES}, as in {_EXAMPLE}"
        )
    rate, codebook = float(meta[FRAME_RATE]), str(meta.get(CODEBOOK, ""))
    return CodesDirectory(directory, rate, count, files, codebook, NeighborCounts(count))


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
    if len(codes) > _MAX_LENGTH:
        raise UserError(f"{path}: {len(codes)} codes, which is more than a recording has; encode it again")
    wrong = np.flatnonzero((codes < 0) | (codes >= num_codes))
    if len(wrong):
        raise UserError(
            f"{path}: code {codes[wrong[0]]} at frame {wrong[0]}; {META} allows 0 to {num_codes - 1}"
        )
    return np.array(codes, np.int64)


def write_codes(path: Path, codes: np.ndarray) -> None:
    """Write codes (N,), atomically; parent folders are created.

    Raises:
        UserError: the disk is full or not writable.
    """
    with atomic_file(path) as temporary:
        np.save(temporary, codes, allow_pickle=False)


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
