"""Progress of long work: a bar with the time left on a terminal, log lines elsewhere."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from speechvq.runtime.logging import logger

Item = TypeVar("Item")

FIRST_LINE, LINE_SPACING_GROWTH, LONGEST_SPACING = 2.0, 1.5, 60.0  # seconds, factor, seconds
SECONDS_BEFORE_ESTIMATE, FRACTION_BEFORE_ESTIMATE = (
    10.0,
    0.03,
)  # less gives no usable estimate of the time left
BAR_WITHOUT_TOTAL = "{desc}: {n_fmt} {unit} [{elapsed}]"
BAR_WITHOUT_ESTIMATE = "{l_bar}{bar}| {n_fmt}/{total_fmt} {unit} [{elapsed}]"


def progress(items: Iterable[Item], *, total: int | None, label: str, unit: str = "it") -> Iterator[Item]:
    """Yield the items and show how many are done, on stderr.

    Args:
        items: what is processed.
        total: number of items; None if it is unknown.
        label: name of the work, for example "encode".
        unit: name of one item.
    """
    with counter(total, label=label, unit=unit) as count:
        for done, item in enumerate(items, start=1):
            yield item
            count(done)


@contextmanager
def counter(total: float | None, *, label: str, unit: str) -> Iterator[Callable[[float], None]]:
    """Show the progress of work that counts for itself; yields a function that takes the amount done."""
    with _lines(total, label, unit) if not sys.stderr.isatty() else _bar(total, label, unit) as show:
        yield show


def format_duration(seconds: float) -> str:
    """A duration in its largest useful unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"


@contextmanager
def _bar(total: float | None, label: str, unit: str) -> Iterator[Callable[[float], None]]:
    """A bar, without the time left until that can be estimated."""
    from tqdm import tqdm  # not needed elsewhere, and its import would delay --help

    estimate, bar_format = _Estimate(total), BAR_WITHOUT_TOTAL if total is None else BAR_WITHOUT_ESTIMATE
    with tqdm(total=total, desc=label, unit=unit, leave=False, bar_format=bar_format) as bar:

        def show(done: float) -> None:
            estimate.done = done
            if estimate.seconds_left() is not None:
                bar.bar_format = None
            bar.update((done if total is None else min(done, total)) - bar.n)

        yield show


@contextmanager
def _lines(total: float | None, label: str, unit: str) -> Iterator[Callable[[float], None]]:
    """Log lines, written by a thread: spaced by time alone, even while one item takes minutes."""
    estimate, ended = _Estimate(total), threading.Event()

    def log() -> None:
        spacing = FIRST_LINE
        while not ended.wait(spacing):
            logger.info("%s: %s", label, _line(estimate, unit))
            spacing = min(spacing * LINE_SPACING_GROWTH, LONGEST_SPACING)

    def show(done: float) -> None:
        estimate.done = done

    thread = threading.Thread(target=log, daemon=True)
    thread.start()
    try:
        yield show
    finally:
        ended.set()
        thread.join()


def _line(estimate: "_Estimate", unit: str) -> str:
    """The amount done, and the time left if it can be estimated."""
    if estimate.total is None:
        return f"{estimate.done} {unit}"
    done, left = min(estimate.done, estimate.total), estimate.seconds_left()
    line = f"{done}/{estimate.total} {unit}"
    return line if left is None else f"{line}, about {format_duration(left)} left"


class _Estimate:
    """The time left, from the amount done since the first item: compilation and loading come before that."""

    def __init__(self, total: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self._clock = total, clock
        self._done: float = 0
        self._first_done: float = 0
        self._first = clock()

    @property
    def done(self) -> float:
        """Amount done."""
        return self._done

    @done.setter
    def done(self, value: float) -> None:
        if not self._done:
            self._first, self._first_done = self._clock(), value
        self._done = value

    def seconds_left(self) -> float | None:
        """Seconds left; None without a total, or while too little is done for a useful estimate."""
        if self.total is None:
            return None
        done, seconds = self._done - self._first_done, self._clock() - self._first
        if seconds < SECONDS_BEFORE_ESTIMATE or done < FRACTION_BEFORE_ESTIMATE * self.total:
            return None
        return seconds / done * max(self.total - self._done, 0)
