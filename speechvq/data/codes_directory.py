"""The codes directory: `meta.json` and one `UTT.npy` of integers (N,) per utterance, from any program."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file
from speechvq.io.reading import read_regular
from speechvq.io.utterance_files import by_utterance, find_files, match_names, relative_names

META = "meta.json"
FRAME_RATE, NUM_CODES = "frame_rate_hz", "num_codes"  # required keys of meta.json
CODEBOOK = "codebook"  # an optional key, which `encode` writes

_EXAMPLE = f'{{"{FRAME_RATE}": 50, "{NUM_CODES}": 100}}'
_MAX_CODES = 2**31


@dataclass(frozen=True)
class CodesDirectory:
    """An open codes directory; codes are read on demand."""

    path: Path
    frame_rate_hz: float  # codes per second
    num_codes: int  # K
    files: Mapping[str, Path]  # by utterance, see `by_utterance`
    codebook: str = ""  # fingerprint of the codebook; "" if unknown

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
        return read_codes(self.files[utterance], self.num_codes)


def open_codes(directory: Path) -> CodesDirectory:
    """Read `meta.json` and list the utterances, recursively.

    Raises:
        UserError: no such folder, `meta.json` missing or invalid, no codes, or two files of one utterance.
    """
    files = by_utterance(find_files(directory, [".npy"], what="codes"), directory)
    place = directory / META
    meta = _meta(place)
    rate, count = meta.get(FRAME_RATE), meta.get(NUM_CODES)
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 < rate < 1e6:
        raise UserError(f"{place}: {FRAME_RATE} is {rate!r}; expected codes per second, as in {_EXAMPLE}")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= _MAX_CODES:
        raise UserError(f"{place}: {NUM_CODES} is {count!r}; expected the codebook's size, as in {_EXAMPLE}")
    return CodesDirectory(directory, float(rate), count, files, str(meta.get(CODEBOOK, "")))


def read_codes(path: Path, num_codes: int) -> np.ndarray:
    """The codes of a file, (N,), int64 in [0, num_codes).

    Raises:
        UserError: the file is truncated, is not an array of integers (N,), or has codes out of range.
    """
    try:
        # A memory map cannot take more memory than the file has bytes, whatever the header says.
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


def _meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(read_regular(path))
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; write it beside the codes, for example {_EXAMPLE}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON; expected for example {_EXAMPLE}") from error
    if not isinstance(meta, dict):
        raise UserError(f"{path}: not a JSON object; expected for example {_EXAMPLE}")
    return meta
