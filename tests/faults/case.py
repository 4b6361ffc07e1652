"""A case of the matrix, the settings of a run, and the counts of a family."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")
MAX_MESSAGE = 300  # characters of a failure that are kept


class Case(NamedTuple):
    """One thing that goes wrong: `check` raises if the promise does not hold."""

    name: str
    check: Callable[[], None]


@dataclass(frozen=True)
class Setting:
    """What the cases of a family are made from."""

    folder: Path  # scratch, empty at the start
    seed: int = 0
    short: bool = False  # a few cases of each kind

    def rng(self, *more: int) -> np.random.Generator:
        """Random numbers that depend on the seed and on `more` alone."""
        return np.random.default_rng((self.seed, *more))

    def some(self, items: Sequence[Item], count: int) -> list[Item]:
        """All items; in the short form at most `count`, evenly spaced."""
        if not self.short or len(items) <= count:
            return list(items)
        return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]


class Failure(NamedTuple):
    """A case that did not hold, and why."""

    name: str
    reason: str


@dataclass
class Count:
    """What became of the cases of a family."""

    family: str
    tried: int = 0
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)  # circumstances, such as how a full disk was made

    @property
    def held(self) -> int:
        """Number of cases that held."""
        return self.tried - len(self.failures)


def run_cases(family: str, cases: Iterable[Case]) -> Count:
    """Check every case; an exception of any kind is a failure of that case alone."""
    count, started = Count(family), time.monotonic()
    for case in cases:
        count.tried += 1
        try:
            case.check()
        except Exception as error:
            count.failures.append(Failure(case.name, _one_line(error)))
    count.seconds = time.monotonic() - started
    return count


def _one_line(error: Exception) -> str:
    """Type and message of an exception; an AssertionError shows its message alone."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    kind = "" if isinstance(error, AssertionError) and text else f"{type(error).__name__}: "
    return (kind + text)[:MAX_MESSAGE]
