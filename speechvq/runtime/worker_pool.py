"""Parallel map over many files, in one process per core."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

from speechvq.errors import UserError
from speechvq.runtime.signals import deferred_stop

MIN_ITEMS_PER_PROCESS = 32  # with fewer items, a further process costs more time than it saves
_CHUNKS_AHEAD = 8  # per process, so that one slow chunk does not leave the others idle
Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    jobs: int | None = None,
    *,
    min_items_per_process: int = MIN_ITEMS_PER_PROCESS,
) -> Iterator[Result]:
    """Results of `work` in the order of the items; memory does not grow with their number.

    Args:
        work: pickled once for each other process: a function of a module, a `partial` of one, or a callable
            object, which may keep what it needs between two items.
        items: arguments of `work`, taken as they are needed.
        jobs: number of processes; None for one per core. Few items are processed without other processes.
        min_items_per_process: number of items for which a further process is started.

    On an exception here, such as `Stopped`, the processes are ended at once; their temporary files are
    removed by the next write into the same folder.

    Raises:
        UserError: raised by `work`, or a process was killed.
    """
    rest, limit = iter(items), jobs or available_cores()
    first = list(islice(rest, limit * min_items_per_process))
    jobs = min(limit, max(1, len(first) // min_items_per_process))
    if jobs == 1:
        yield from map(work, chain(first, rest))
        return
    # spawn works on every system, and is safe beside the threads that numpy and torch start.
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_start_worker, initargs=(work,)
    )
    try:
        yield from _chunks_in_order(pool, chain(first, rest), jobs, max(1, min_items_per_process // 4))
    except BrokenProcessPool as error:
        raise UserError("a process was killed, perhaps out of memory; give fewer --jobs") from error
    except BaseException:
        for process in list(pool._processes.values()):
            process.terminate()
        raise
    finally:
        with deferred_stop():
            pool.shutdown(cancel_futures=True)


def _chunks_in_order(pool: ProcessPoolExecutor, items: Iterator[Item], jobs: int, size: int) -> Iterator[Any]:
    """The results, with a few chunks of items per process under way."""
    waiting: deque[Future[list[Any]]] = deque()
    while True:
        while len(waiting) < _CHUNKS_AHEAD * jobs and (chunk := list(islice(items, size))):
            waiting.append(pool.submit(_work_on, chunk))
        if not waiting:
            return
        yield from waiting.popleft().result()


_work: Callable[[Any], Any] | None = None  # in a worker process, what it does


def _work_on(chunk: Sequence[Any]) -> list[Any]:
    assert _work is not None
    return [_work(item) for item in chunk]


def _start_worker(work: Callable[[Any], Any]) -> None:
    """Leave Ctrl-C to the parent process, which ends this one, and exit when the parent is killed."""
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def available_cores() -> int:
    """Number of cores this process may use; in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
