"""Units as text for language models: one line per utterance.

    UTT|71 12 12 5                  one code per frame, as fairseq's quantize_with_kmeans writes
    UTT|71 12 5|1 2 1               deduplicated, with the frames of each code
    UTT|<sosp><71><12><5><eosp>     style "speechgpt", with the tokens of SpeechGPT (Zhang et al. 2023)

A line without | has no name; it is named by its number.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from speechvq.data.unit_formats.row import Row
from speechvq.errors import UserError, short_repr
from speechvq.io.atomic import write_text
from speechvq.io.names import normalized
from speechvq.io.reading import read_regular_text

SUFFIX = ".txt"
Style: TypeAlias = Literal["fairseq", "speechgpt"]
_TOKENS = re.compile(r"(?:<sosp>)?((?:<\d+>)*)(?:<eosp>)?")
_NUMBERS = re.compile(r"(?:\d+(?: +\d+)*)?", re.ASCII)


def write_text_shard(path: Path, rows: Iterable[Row], style: Style = "fairseq") -> None:
    """Write a shard atomically; durations become a third field.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_text(path, "".join(f"{_line(row, style)}\n" for row in rows))


def read_text_shard(path: Path) -> list[Row]:
    """The rows of a shard.

    Raises:
        UserError: unreadable, not UTF-8, or a line that is not in one of the forms above.
    """
    try:
        lines = read_regular_text(path).split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text; encode it again") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); check its mode") from error
    return list(_rows(lines, path))


def _rows(lines: list[str], path: Path) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        fields = line.rsplit("|", 2)
        # A name may contain |, so the number of fields says little. Codes and durations are numbers.
        if len(fields) == 3 and not _is_units(fields[1]):
            fields = [f"{fields[0]}|{fields[1]}", fields[2]]
        name = normalized(fields[0]) if len(fields) > 1 else f"line_{number:06d}"
        where = f"{path}: line {number}"
        codes = _codes(fields[min(len(fields) - 1, 1)], where)
        durations = _numbers(fields[2], where) if len(fields) == 3 else None
        yield Row(name, "", codes, durations)


def _line(row: Row, style: Style) -> str:
    units = " ".join(map(str, row.values.tolist()))
    if style == "speechgpt":
        units = f"<sosp>{''.join(f'<{code}>' for code in row.values.tolist())}<eosp>"
    fields = [row.utt, units]
    if row.durations is not None:
        fields.append(" ".join(map(str, row.durations.tolist())))
    return "|".join(fields)


def _is_units(field: str) -> bool:
    return bool(_TOKENS.fullmatch(field.strip()) or _NUMBERS.fullmatch(field.strip()))


def _codes(field: str, where: str) -> np.ndarray:
    found = _TOKENS.fullmatch(field.strip())
    return _numbers(found[1].replace("><", " ").strip("<>") if found else field, where)


def _numbers(field: str, where: str) -> np.ndarray:
    """Whole numbers between spaces, (N,), int64."""
    if _NUMBERS.fullmatch(field.strip()):
        try:
            return np.array([int(each) for each in field.split()], np.int64)
        except (ValueError, OverflowError):  # thousands of digits
            pass
    raise UserError(f"{where}: {short_repr(field)} is no list of codes; write for example: NAME|71 12 12 5")
