"""The queue: one piece of work at a time, in a thread, with its progress."""

import asyncio
import threading
import traceback
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from speechvq.errors import UserError

MAX_WAITING = 8  # pieces of work, the current one included
INTERVAL = 0.2  # s between two messages of progress
FULL = "Too many requests are waiting; try again in a minute."
CRASHED = (
    "This failed, and the fault is in the program, not in your recording. "
    "The terminal in which it runs shows the details."
)


class Cancelled(Exception):
    """Nobody waits for the result any more."""


class Progress:
    """The fraction of a piece of work that is done; set by its thread, read by the server."""

    def __init__(self) -> None:
        self.fraction, self._cancelled = 0.0, threading.Event()

    def __call__(self, fraction: float) -> None:
        """Set the fraction.

        Raises:
            Cancelled: the work is to end.
        """
        if self._cancelled.is_set():
            raise Cancelled
        self.fraction = min(fraction, 1.0)

    def cancel(self) -> None:
        """Let the next call end the work."""
        self._cancelled.set()


Work = Callable[[Progress], dict[str, Any]]


class WorkQueue:
    """Runs one piece of work at a time, in the order of arrival."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "speechvq-demo")
        self._pending: list[tuple[Future[dict[str, Any]], Progress]] = []

    async def messages(self, work: Work, folder: Path) -> AsyncGenerator[dict[str, Any], None]:
        """Messages about a piece of work: how many are ahead, its progress, and its result or an error.

        Closing the iterator cancels the work.

        Args:
            work: called in the thread of the queue; returns the result.
            folder: of the request; its path is left out of errors.

        Yields:
            {"ahead": count}, {"done": fraction}, and at last {"result": ...} or {"error": sentence}.
        """
        if len(self._pending) >= MAX_WAITING:
            yield {"error": FULL}
            return
        progress = Progress()
        future = self._executor.submit(work, progress)
        entry = (future, progress)
        self._pending.append(entry)
        finished = asyncio.wrap_future(future)
        try:
            while not (await asyncio.wait([finished], timeout=INTERVAL))[0]:
                ahead = self._pending.index(entry)
                yield {"ahead": ahead} if ahead else {"done": round(progress.fraction, 3)}
            yield _outcome(finished, folder)
        finally:
            progress.cancel()
            if not future.cancel():
                await asyncio.wait([finished])  # the folder of the request may be removed after this
                finished.exception()
            self._pending.remove(entry)

    def close(self) -> None:
        """Cancel all work, and wait for the end of the current one."""
        for _, progress in self._pending:
            progress.cancel()
        self._executor.shutdown(cancel_futures=True)


def _outcome(finished: "asyncio.Future[dict[str, Any]]", folder: Path) -> dict[str, Any]:
    """The last message of a piece of work that has ended."""
    try:
        return {"result": finished.result()}
    except UserError as error:
        return {"error": sentence(error, folder)}
    except Exception:
        traceback.print_exc()
        return {"error": CRASHED}


def sentence(error: UserError, folder: Path) -> str:
    """The message of an error as a sentence; uploads are named without their folder."""
    text = " ".join(str(error).replace(f"{folder}/", "").split())
    return text if text.endswith((".", "?", "!")) else f"{text}."
