"""Units as Parquet shards, for `datasets`, polars, pyarrow and DuckDB (the optional extra "parquet").

    utt          string
    speaker      string, "" if unknown
    codes        list of int32; or `features`, list of lists of float32
    durations    list of int32, frames of each code; all 1 unless the codes are deduplicated; not for features
    rate         float64, frames per second
    fingerprint  string, of the model's codebook

The content of `meta.json` is in the metadata of the schema, under the key "speechvq".
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.data.unit_formats.row import Row
from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file
from speechvq.io.names import normalized
from speechvq.io.reading import open_regular

SUFFIX = ".parquet"
REMEDY = "pip install 'speechvq[parquet]'"
CODES, FEATURES = "codes", "features"
_MAX_ROWS, _MAX_VALUES = 10_000_000, 200_000_000  # of a row group; bound the memory of a damaged file


def check_extra() -> None:
    """Refuse Parquet without pyarrow.

    Raises:
        UserError: the extra is missing.
    """
    _pyarrow()


def write_parquet_shard(path: Path, rows: Sequence[Row], meta: Mapping[str, Any]) -> None:
    """Write a shard atomically.

    Args:
        path: of the shard.
        rows: all with codes, or all with features.
        meta: content of `meta.json`, plain data, with "frame_rate_hz" and "codebook".

    Raises:
        UserError: the disk is full or not writable, or the extra is missing.
    """
    pa, pq = _pyarrow()
    values = [row.values for row in rows]
    columns = {
        "utt": pa.array([row.utt for row in rows], pa.string()),
        "speaker": pa.array([row.speaker for row in rows], pa.string()),
    }
    if values and values[0].ndim == 2:
        columns[FEATURES] = _lists(pa, values)
    else:
        durations = [np.ones(len(row.values)) if row.durations is None else row.durations for row in rows]
        columns |= {CODES: _lists(pa, values), "durations": _lists(pa, durations)}
    columns["rate"] = pa.array([float(meta["frame_rate_hz"])] * len(rows), pa.float64())
    columns["fingerprint"] = pa.array([str(meta["codebook"])] * len(rows), pa.string())
    table = pa.table(columns).replace_schema_metadata({"speechvq": json.dumps(meta)})
    with atomic_file(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def parquet_names(path: Path) -> list[list[str]]:
    """Names of the utterances of a file, a list for each row group.

    Raises:
        UserError: damaged, or without the column utt; or the extra is missing.
    """
    with _Reader(path) as reader:
        return [reader.names(group) for group in range(reader.file.num_row_groups)]


def read_parquet_group(path: Path, group: int, column: str = CODES) -> list[Row]:
    """The rows of a row group.

    Args:
        path: of the file.
        group: index of the row group.
        column: CODES or FEATURES.

    Raises:
        UserError: damaged, without the column, or of another type; or the extra is missing.
    """
    with _Reader(path) as reader:
        return reader.rows(group, column)


class _Reader:
    """An open Parquet file; errors of its content become a UserError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pa, pq = _pyarrow()
        try:
            self.stream = open_regular(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}); check its mode") from error
        try:
            self.file = pq.ParquetFile(self.stream)
        except Exception as error:
            self.stream.close()
            raise self._damaged(error) from error

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stream.close()

    def names(self, group: int) -> list[str]:
        """Names of the utterances of a row group."""
        return [normalized(name) for name in self._column(group, "utt", self.pa.types.is_string)]

    def rows(self, group: int, column: str) -> list[Row]:
        """The rows of a row group."""
        names, present = self.names(group), self.file.schema_arrow.names
        speakers = [""] * len(names)
        if "speaker" in present:
            speakers = self._column(group, "speaker", self.pa.types.is_string)
        values = self._lists(group, column)
        durations: Sequence[np.ndarray | None] = [None] * len(names)
        if column == CODES and "durations" in present:
            durations = self._lists(group, "durations")
        return [Row(*each) for each in zip(names, speakers, values, durations)]

    def _column(self, group: int, name: str, accepts: Any) -> list[str]:
        array = self._read(group, name)
        if self.pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if self.pa.types.is_large_string(array.type):
            array = array.cast(self.pa.string())
        if not accepts(array.type) or array.null_count:
            raise UserError(f"{self.path}: column {name} is {array.type}, or has nulls; expected strings")
        return array.to_pylist()

    def _lists(self, group: int, name: str) -> list[np.ndarray]:
        """The arrays of a column of lists: (N,), int64, or (N, C), float32, for a column of features."""
        array, types = self._read(group, name), self.pa.types
        inner, is_features = array, name == FEATURES
        for _ in range(1 + is_features):
            if not _is_list(types, inner.type) or inner.null_count:
                raise UserError(f"{self.path}: column {name} is {array.type}; expected lists of numbers")
            inner = inner.flatten()
        if inner.null_count or not (types.is_floating if is_features else types.is_integer)(inner.type):
            raise UserError(f"{self.path}: column {name} is {array.type}, or has nulls; expected numbers")
        ends = np.cumsum(_lengths(array))
        flat = inner.to_numpy(zero_copy_only=False).astype(np.float32 if is_features else np.int64)
        if is_features:
            widths = np.unique(_lengths(array.flatten()))
            if len(widths) > 1:
                raise UserError(f"{self.path}: features of different widths; encode it again")
            flat = flat.reshape(-1, int(widths[0]) if len(widths) else 1)
        return np.split(flat, ends[:-1]) if len(ends) else []

    def _read(self, group: int, name: str) -> Any:
        """A column of a row group as one array."""
        if name not in self.file.schema_arrow.names:
            raise UserError(f"{self.path}: no column {name}; expected utt, {CODES} or {FEATURES}")
        try:
            facts = self.file.metadata.row_group(group)
            # A damaged file could claim any number of values; a run of equal ones takes a few bytes.
            largest = max((facts.column(i).num_values for i in range(facts.num_columns)), default=0)
            if facts.num_rows > _MAX_ROWS or largest > _MAX_VALUES:
                raise ValueError("a huge row group")
            array = self.file.read_row_group(group, columns=[name]).column(0).combine_chunks()
            array.validate(full=True)
            return array
        except Exception as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UserError:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        return UserError(f"{self.path}: not a readable Parquet file ({reason}); encode it again")


def _is_list(types: Any, kind: Any) -> bool:
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _lengths(array: Any) -> np.ndarray:
    """Lengths of the lists of an array."""
    import pyarrow.compute as pc

    return pc.list_value_length(array).to_numpy(zero_copy_only=False).astype(np.int64)


def _lists(pa: Any, values: Sequence[np.ndarray]) -> Any:
    """An array of lists: of (N,) integers, or of (N, C) numbers."""
    offsets = np.cumsum([0, *map(len, values)])
    if values and values[0].ndim == 2:
        width = values[0].shape[1]
        flat = pa.array(np.concatenate(values).astype(np.float32).ravel())
        inner = pa.ListArray.from_arrays(np.arange(offsets[-1] + 1, dtype=np.int32) * width, flat)
    else:
        inner = pa.array(np.concatenate([np.empty(0, np.int64), *values]).astype(np.int32))
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), inner)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"Parquet needs pyarrow ({error}): {REMEDY}") from error
    return pyarrow, pyarrow.parquet
