"""The same work on many files, in as many processes as there are cores."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from speechvq.errors import UserError

MIN_ITEMS_PER_PROCESS = 32  # items; fewer are done before another process has started
Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int | None = None,
    *,
    min_items_per_process: int = MIN_ITEMS_PER_PROCESS,
) -> Iterator[Result]:
    """The results in the order of the items; each process works on one item at a time.

    Args:
        work: a module's function, or a `partial` of one, so that it can be sent to another process.
        jobs: processes; None takes one for each core. Few items are done in this process.
        few: items for which another process is worth starting.

    Raises:
        UserError: what `work` raises, or a process was killed.
    """
    jobs = min(jobs or _available_cores(), max(1, len(items) // min_items_per_process))
    if jobs == 1:
        yield from map(work, items)
        return
    # spawn: the same on every system, and safe beside the threads that numpy and torch start
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield from pool.map(work, items, chunksize=max(1, min_items_per_process // 4))
    except BrokenProcessPool as error:
        raise UserError("a process was killed, perhaps for want of memory; give fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Ctrl-C is the parent's to answer; and when the parent is killed, this process must not stay behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent_process().join()
    os._exit(1)


def _available_cores() -> int:
    """Those this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
