"""Progress of long work: a bar with time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

SECONDS_BETWEEN_LINES = 15.0


def progress(items: Iterable[Item], *, total: int, label: str, unit: str = "it") -> Iterator[Item]:
    """Yield the items and show how far the work is, on stderr.

    Args:
        items: what is worked through.
        total: how many there are.
        label: what is being done, for example "encode".
        unit: the name of one item.
    """
    with counter(total, label=label, unit=unit) as count:
        for done, item in enumerate(items, start=1):
            yield item
            count(done)


@contextmanager
def counter(total: float, *, label: str, unit: str) -> Iterator[Callable[[float], None]]:
    """Show how far a work is that counts for itself: yields what is to be told how much is done."""
    if not sys.stderr.isatty():
        yield _Lines(total, label, unit).show
        return
    with tqdm(total=total, desc=label, unit=unit, leave=False) as bar:

        def show(done: float) -> None:
            bar.update(min(done, total) - bar.n)

        yield show


class _Lines:
    """A line now and then, for a log."""

    def __init__(self, total: float, label: str, unit: str) -> None:
        self.total, self.label, self.unit = total, label, unit
        self.started = self.shown = time.monotonic()

    def show(self, done: float) -> None:
        """Say how much is done, unless that was said a moment ago."""
        now = time.monotonic()
        if now - self.shown > SECONDS_BETWEEN_LINES and done > 0:
            self.shown = now
            left = (now - self.started) / done * max(self.total - done, 0)
            part = f"{min(done, self.total)}/{self.total}"
            print(f"{self.label}: {part} {self.unit}, about {left:.0f} s left", file=sys.stderr, flush=True)
