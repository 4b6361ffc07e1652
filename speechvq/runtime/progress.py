"""Progress of long work: a bar with the time left on a terminal, log lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

from speechvq.runtime.logging import logger

Item = TypeVar("Item")

SECONDS_BETWEEN_LINES = 15.0


def progress(items: Iterable[Item], *, total: int, label: str, unit: str = "it") -> Iterator[Item]:
    """Yield the items and show how many are done, on stderr.

    Args:
        items: what is processed.
        total: number of items.
        label: name of the work, for example "encode".
        unit: name of one item.
    """
    with counter(total, label=label, unit=unit) as count:
        for done, item in enumerate(items, start=1):
            yield item
            count(done)


@contextmanager
def counter(total: float, *, label: str, unit: str) -> Iterator[Callable[[float], None]]:
    """Show the progress of work that counts for itself; yields a function that takes the amount done."""
    if not sys.stderr.isatty():
        yield _ProgressLines(total, label, unit).show
        return
    with tqdm(total=total, desc=label, unit=unit, leave=False) as bar:

        def show(done: float) -> None:
            bar.update(min(done, total) - bar.n)

        yield show


class _ProgressLines:
    """Log lines, one every `SECONDS_BETWEEN_LINES`."""

    def __init__(self, total: float, label: str, unit: str) -> None:
        self.total, self.label, self.unit = total, label, unit
        self.started = self.shown = time.monotonic()

    def show(self, done: float) -> None:
        """Log the amount done, unless the last line is recent."""
        now = time.monotonic()
        if now - self.shown > SECONDS_BETWEEN_LINES and done > 0:
            self.shown = now
            left = (now - self.started) / done * max(self.total - done, 0)
            part = f"{min(done, self.total)}/{self.total}"
            logger.info("%s: %s %s, about %.0f s left", self.label, part, self.unit, left)
