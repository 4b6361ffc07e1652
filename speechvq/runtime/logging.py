"""The package's logger, and its set-up for the commands."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from speechvq.errors import printable

# One logger for all modules: a command started by `python -m` has `__name__ == "__main__"`, so names of
# modules would put it outside the package's tree.
logger = logging.getLogger("speechvq")


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Write the package's log records of level INFO and above to stderr, one plain line each.

    Commands run inside this context. A program that imports the package configures `logging` itself. Without
    a configuration Python shows warnings and errors alone.
    """
    handler, level, propagate = _StderrHandler(), logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # a library may have configured the root logger, which would repeat each line
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


class _StderrHandler(logging.Handler):
    """Writes to the current `sys.stderr` and flushes, without damage to a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; control characters of a file's name are escaped."""
        lines = "\n".join(map(printable, self.format(record).split("\n")))
        tqdm = sys.modules.get("tqdm") if sys.stderr.isatty() else None  # not imported before the first bar
        with tqdm.tqdm.external_write_mode(file=sys.stderr) if tqdm else nullcontext():
            print(lines, file=sys.stderr, flush=True)
