"""What the processes of a Ray cluster do: list utterances in batches, and work on the batches in actors.

A batch that ended an actor is repeated utterance by utterance, and an utterance that ends actors MAX_DEATHS
times more is given up as lost.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import speechvq
from speechvq.errors import UserError
from speechvq.runtime.logging import logger

# Sizes of batches: few utterances are shared among all workers, and of many each costs little.
GROWTH, BATCHES_TO_GROW = 4, 8  # up to so many times the first size; by one utterance after so many batches
MAX_DEATHS = 2  # of actors during one utterance that is worked on alone


@dataclass(frozen=True)
class Batch:
    """Consecutive utterances, or a mistake found while they were listed."""

    number: int
    items: list[Any]
    log: list[tuple[int, str]]
    mistake: str = ""


@dataclass(frozen=True)
class Done:
    """The results of a batch, the log records of the work, and the user's mistake that ended it."""

    results: list[Any]
    log: list[tuple[int, str]]
    mistake: str = ""


def blocks(items: Iterable[Any], size: int, folder: str) -> Iterator[Any]:
    """Data frames of one `Batch` each, in the column "batch"; arguments as of `list_batches`."""
    from pandas import DataFrame

    return (DataFrame({"batch": [batch]}) for batch in list_batches(items, size, folder))


def list_batches(items: Iterable[Any], size: int, folder: str) -> Iterator[Batch]:
    """The items in batches; a user's mistake ends them.

    Args:
        items: the utterances.
        size: of the first batches.
        folder: working folder of the command.
    """
    number = 0
    with _log_kept() as log:
        try:
            _enter(folder)
            each = iter(items)
            while batch := list(islice(each, min(size + number // BATCHES_TO_GROW, GROWTH * size))):
                yield Batch(number, batch, [])
                number += 1
        except UserError as error:
            yield Batch(number, [], log, str(error))
            return
        if log:
            yield Batch(number, [], log)


@dataclass(frozen=True)
class Setting:
    """What an actor needs to begin."""

    work: Any  # reference to the Work
    attempts: Any  # handle of Attempts
    folder: str  # working folder of the command
    version: str


class Worker:
    """An actor: the function of a work, and what became of the batches that others began."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._mistake = setting, ""
        with _log_kept() as self._log:
            try:
                self._start(setting)
            except UserError as error:
                self._mistake = f"{socket.gethostname()}: {error}"

    def _start(self, setting: Setting) -> None:
        if setting.version != speechvq.__version__:
            raise UserError(
                f"has speechvq {speechvq.__version__}, the command is of {setting.version}; install that"
            )
        _enter(setting.folder)
        import ray

        self._work = ray.get(setting.work)
        self._function = self._work.start()

    def __call__(self, batches: Any) -> Any:
        """The results of batches, both as a column of a data frame."""
        from pandas import DataFrame

        return DataFrame({"done": [self.results(batch) for batch in batches["batch"]]})

    def results(self, batch: Batch) -> Done:
        """The results of a batch; a user's mistake, also one of an earlier process, in their place."""
        first, self._log = self._log, []
        with _log_kept() as log:
            mistake = batch.mistake or self._mistake
            try:
                results = [] if mistake else list(self._each_result(batch))
            except UserError as error:
                results, mistake = [], str(error)
        return Done(results, [*first, *batch.log, *log], mistake)

    def _each_result(self, batch: Batch) -> Iterator[Any]:
        import ray

        attempts = self._setting.attempts
        deaths = ray.get(attempts.begin.remote(batch.number))
        for i, item in enumerate(batch.items):
            if deaths is not None:
                if deaths.get(i, 0) >= MAX_DEATHS:
                    reason = f"ended {MAX_DEATHS + 1} worker processes, which may be out of memory; left out"
                    yield self._work.lost(item, reason)
                    continue
                ray.get(attempts.announce.remote(batch.number, i))
            yield self._function(item)
        attempts.end.remote(batch.number)


class Attempts:
    """What became of the batches that are under way: which utterance ended its actor, and how often."""

    def __init__(self) -> None:
        self._deaths: dict[int, Counter[int]] = {}
        self._current: dict[int, int] = {}

    def begin(self, batch: int) -> dict[int, int] | None:
        """None at the first attempt; then the deaths of actors by the utterance they worked on alone."""
        if batch not in self._deaths:
            self._deaths[batch] = Counter()
            return None
        if (item := self._current.pop(batch, None)) is not None:
            self._deaths[batch][item] += 1
        return dict(self._deaths[batch])

    def announce(self, batch: int, item: int) -> None:
        """An actor works on this utterance alone now."""
        self._current[batch] = item

    def end(self, batch: int) -> None:
        """The batch is done."""
        self._deaths.pop(batch, None)
        self._current.pop(batch, None)


def _enter(folder: str) -> None:
    """Work in the folder of the command, so that relative paths mean the same."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise UserError(
            f"no folder {folder} ({error.strerror}); mount it on all computers of the cluster"
        ) from None


class _KeptLog(logging.Handler):
    """Keeps the level and text of log records."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[int, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.lines.append((record.levelno, record.getMessage()))


@contextmanager
def _log_kept() -> Iterator[list[tuple[int, str]]]:
    """Keep the package's log records in this process, where nobody sees them; yields their list."""
    handler = _KeptLog()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
