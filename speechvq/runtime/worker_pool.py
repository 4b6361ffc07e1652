"""Parallel map over many files, in one process per core."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from speechvq.errors import UserError
from speechvq.runtime.signals import deferred_stop

MIN_ITEMS_PER_PROCESS = 32  # with fewer items, a further process costs more time than it saves
Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int | None = None,
    *,
    min_items_per_process: int = MIN_ITEMS_PER_PROCESS,
) -> Iterator[Result]:
    """Results of `work` in the order of the items.

    Args:
        work: a function of a module, or a `partial` of one, since it is pickled for the other processes.
        items: arguments of `work`.
        jobs: number of processes; None for one per core. Few items are processed without other processes.
        min_items_per_process: number of items for which a further process is started.

    On an exception here, such as `Stopped`, the processes are ended at once; their temporary files are
    removed by the next write into the same folder.

    Raises:
        UserError: raised by `work`, or a process was killed.
    """
    jobs = min(jobs or _available_cores(), max(1, len(items) // min_items_per_process))
    if jobs == 1:
        yield from map(work, items)
        return
    # spawn works on every system, and is safe beside the threads that numpy and torch start.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield from pool.map(work, items, chunksize=max(1, min_items_per_process // 4))
    except BrokenProcessPool as error:
        raise UserError("a process was killed, perhaps out of memory; give fewer --jobs") from error
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        raise
    finally:
        with deferred_stop():
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent process, which ends this one, and exit when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _available_cores() -> int:
    """Number of cores this process may use; in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
