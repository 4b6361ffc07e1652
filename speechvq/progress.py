"""Progress of long work: a bar with time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
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
    if sys.stderr.isatty():
        yield from tqdm(items, total=total, desc=label, unit=unit, leave=False)
        return
    started = shown = time.monotonic()
    for done, item in enumerate(items):
        yield item
        now = time.monotonic()
        if now - shown > SECONDS_BETWEEN_LINES:
            shown = now
            left = (now - started) / (done + 1) * (total - done - 1)
            print(f"{label}: {done + 1}/{total} {unit}, about {left:.0f} s left", file=sys.stderr, flush=True)
