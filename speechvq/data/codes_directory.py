"""The codes directory: `meta.json` and an `UTT.npy` of integers (N,) for each utterance, whoever made it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file
from speechvq.io.utterance_files import by_utterance, find_files

META = "meta.json"
FRAME_RATE, NUM_CODES = "frame_rate_hz", "num_codes"  # what it must say
CODEBOOK = "codebook"  # what `encode` says besides

_EXAMPLE = f'{{"{FRAME_RATE}": 50, "{NUM_CODES}": 100}}'
_MOST_CODES = 2**31


@dataclass(frozen=True)
class CodesDirectory:
    """What a codes directory says of itself, and where its utterances are."""

    path: Path
    frame_rate_hz: float  # codes a second
    num_codes: int  # K
    files: Mapping[str, Path]  # by utterance
    codebook: str = ""  # fingerprint of the codebook they were made with; "" where nobody said

    def read(self, utterance: str) -> np.ndarray:
        """The codes of an utterance, (N,), int64 in [0, K).

        Raises:
            UserError: the file is no array of integers (N,), is cut short, or holds codes out of range.
        """
        return read_codes(self.files[utterance], self.num_codes)


def open_codes(directory: Path) -> CodesDirectory:
    """Read `meta.json` and find the utterances, at any depth; their codes are read when asked for.

    Raises:
        UserError: no such folder, no `meta.json` or a wrong one, no codes, two files for one utterance.
    """
    files = by_utterance(find_files(directory, [".npy"], what="codes"))
    place = directory / META
    meta = _meta(place)
    rate, count = meta.get(FRAME_RATE), meta.get(NUM_CODES)
    if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 < rate < 1e6:
        raise UserError(f"{place}: {FRAME_RATE} is {rate!r}; expected codes a second, as in {_EXAMPLE}")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= _MOST_CODES:
        raise UserError(f"{place}: {NUM_CODES} is {count!r}; expected the codebook's size, as in {_EXAMPLE}")
    return CodesDirectory(directory, float(rate), count, files, str(meta.get(CODEBOOK, "")))


def read_codes(path: Path, num_codes: int) -> np.ndarray:
    """The codes of a file, (N,), int64 in [0, num_codes).

    Raises:
        UserError: the file is no array of integers (N,), is cut short, or holds codes out of range.
    """
    try:
        # Mapped, so that a header cannot ask for more memory than the file has bytes.
        codes = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check its mode") from error
    except Exception as error:  # the header is Python text, and its parser raises whatever it likes
        raise UserError(f"{path}: no whole .npy file of integers; write it again with numpy.save") from error
    if codes.dtype.kind not in "iu":
        raise UserError(f"{path}: {codes.dtype} in place of integers; save codes.astype(numpy.int64)")
    if codes.ndim != 1:
        raise UserError(f"{path}: shape {codes.shape} in place of (N,); save one code a frame")
    wrong = np.flatnonzero((codes < 0) | (codes >= num_codes))
    if len(wrong):
        raise UserError(
            f"{path}: code {codes[wrong[0]]} at frame {wrong[0]}; {META} allows 0 to {num_codes - 1}"
        )
    return np.array(codes, np.int64)


def write_codes(path: Path, codes: np.ndarray) -> None:
    """Write codes (N,), atomically; parents are made.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic_file(path) as temporary:
        np.save(temporary, codes, allow_pickle=False)


def _meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing; write it beside the codes, for example {_EXAMPLE}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON; expected for example {_EXAMPLE}") from error
    if not isinstance(meta, dict):
        raise UserError(f"{path}: not a JSON object; expected for example {_EXAMPLE}")
    return meta
