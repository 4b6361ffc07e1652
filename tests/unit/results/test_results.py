"""Results become JSON and are read back unchanged; foreign JSON is refused with the key that is wrong."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pytest

from helpers import measurements
from speechvq.errors import UserError
from speechvq.results.codec import Flat
from speechvq.results.result import Record, Result

RESULTS = {
    "conversion": measurements.conversions,
    "purity": measurements.purity,
    "baselines": measurements.baselines,
    "abx": measurements.abx,
    "likelihood": measurements.likelihood,
    "rollout": measurements.rollout,
}


@pytest.mark.parametrize("subject", RESULTS)
def test_what_is_saved_is_loaded(subject: str, tmp_path: Path) -> None:
    result = RESULTS[subject]()
    assert result.subject == subject
    result.save(tmp_path / "a.json")
    loaded = type(result).load(tmp_path / "a.json")
    assert loaded.to_json() == result.to_json()
    loaded.save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


class Pair(NamedTuple):
    name: str
    score: float


@dataclasses.dataclass(frozen=True)
class Inner(Record):
    x: float
    y: int | None


@dataclasses.dataclass(frozen=True)
class Example(Result):
    subject = "example"

    inner: Flat[Inner]
    pairs: dict[str, list[Pair]]
    bounds: tuple[float, float] | None
    kind: Literal["a", "b"]
    count: int | None = None


EXAMPLE = Example(Inner(math.nan, 3), {"k": [Pair("p", 0.5)]}, (0.0, math.inf), "a")
CONTENT = {
    "x": None,
    "y": 3,
    "pairs": {"k": [{"name": "p", "score": 0.5}]},
    "bounds": [0.0, None],
    "kind": "a",
}


def test_flat_fields_and_defaults() -> None:
    """NaN and infinity become null; a flat field has no key; a field with its default is left out."""
    assert EXAMPLE.to_json() == CONTENT
    assert dataclasses.replace(EXAMPLE, count=2).to_json() == CONTENT | {"count": 2}
    read = Example.from_json(CONTENT | {"unknown": 1})
    assert math.isnan(read.inner.x) and read.inner.y == 3 and read.pairs == EXAMPLE.pairs
    assert read.bounds is not None and read.bounds[0] == 0.0 and math.isnan(read.bounds[1])
    assert read.count is None and Example.from_json(CONTENT | {"count": 2}).count == 2


def test_numpy_values_become_plain_ones() -> None:
    inner = Inner(np.float32(0.5), np.int64(2))  # type: ignore[arg-type]
    assert json.dumps(inner.to_json()) == '{"x": 0.5, "y": 2}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": "1"}, "x: expected a number, got str"),
        ({"x": True}, "x: expected a number, got bool"),
        ({"x": 10**400}, "x: expected a number, got int"),
        ({"y": 1.5}, "y: expected a whole number, got float"),
        ({"y": False}, "y: expected a whole number, got bool"),
        ({"pairs": [1]}, "pairs: expected keys and values, got list"),
        ({"pairs": {"k": [{"name": "p"}]}}, "pairs.k[0].score is missing"),
        ({"pairs": {"k": [{"name": 1, "score": 2}]}}, "pairs.k[0].name: expected text, got int"),
        ({"bounds": [1.0]}, "bounds: expected 2 values, got list"),
        ({"bounds": {}}, "bounds: expected a list, got dict"),
        ({"kind": "c"}, "kind: expected one of a, b, got str"),
    ],
)
def test_foreign_values_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(CONTENT | change))
    with pytest.raises(UserError) as raised:
        Example.load(tmp_path / "a.json")
    assert f"a.json: not a result of `evaluate example` ({message}); run `evaluate" in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe{}", b"null", b"[" * 100_000])
def test_foreign_files_cost_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match="not a result of `evaluate example`") as raised:
        Example.load(tmp_path / "a.json")
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match=r"No such file.*write it with `evaluate example --json"):
        Example.load(tmp_path / "b.json")


def test_units_without_a_seed_are_refused() -> None:
    content = measurements.baselines().to_json()
    content["protocols"]["all"]["k-means on MFCC"] = []
    with pytest.raises(ValueError, match="without a seed"):
        type(measurements.baselines()).from_json(content)
