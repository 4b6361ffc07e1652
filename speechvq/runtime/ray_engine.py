"""Work on many utterances by Ray Data: on this computer, or on the computers of a Ray cluster (extra "ray").

A task lists the utterances in batches, and a pool of actors works on them, so the calling process holds
neither the list nor more than a few batches of results. Each actor starts the work once and keeps it. If an
actor or its computer is lost, Ray starts another one, which repeats the batch, see `ray_tasks`.

All computers need this version of the package and Python, and see the same folders under the same names.
"""

import io
import logging
import os
import signal
import socket
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import speechvq
from speechvq.errors import UserError, short_repr
from speechvq.runtime.device import AUTO
from speechvq.runtime.engine import Item, Result, Work
from speechvq.runtime.logging import logger
from speechvq.runtime.ray_tasks import Attempts, Setting, Worker, blocks
from speechvq.runtime.signals import SIGNALS, deferred_stop
from speechvq.runtime.worker_pool import available_cores

# Ray reads these when it is imported or started. It sends no usage statistics; this module reports errors.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy computer takes longer than 30 s

CONNECTION_SECONDS = 10.0  # to wait for the head node
MAX_RESTARTS = 1_000  # of one actor; a bound for what ends every actor at its start
OBJECT_STORE_BYTES = 256 << 20  # of a Ray that is started here; batches of names and codes are small
REMEDY = "start it with `ray start --head`, or leave out --address to use this computer alone"


@contextmanager
def ray_engine(address: str | None, jobs: int | None) -> Iterator["RayEngine"]:
    """The engine; starts Ray unless an address is given. See `engine_choice.open_engine`."""
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UserError(
            f"--engine ray needs the extra 'ray' ({error}): pip install 'speechvq[ray]'"
        ) from error
    if address is not None and address.startswith("ray://"):
        raise UserError(f"--address {address}: give HOST:PORT of the head node instead, and call it there")
    with _kept_signals(), _discarded_messages():
        _connect(ray, address, jobs)
    engine = RayEngine(jobs)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(ray|speechvq\.runtime\.ray_engine)\b")
            yield engine
    finally:
        with deferred_stop(), redirect_stdout(io.StringIO()):  # Ray prints that ended work will be repeated
            engine.close()
            ray.shutdown()


def _connect(ray: Any, address: str | None, jobs: int | None) -> None:
    """Connect to a cluster, or start one of this computer alone."""
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    try:
        if address is not None:
            _check_answer(address)
            ray.init(address=address, **quiet)
            return
        ray.init(
            address="local",
            num_cpus=jobs or available_cores(),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            **quiet,
        )
    except (OSError, ValueError) as error:
        raise UserError(f"--address {address}: no Ray cluster answers ({_line(error)}); {REMEDY}") from error
    except Exception as error:  # Ray raises RuntimeError for other versions, and Exception for a late start
        where = f"--address {address}" if address else "Ray on this computer"
        raise UserError(f"{where}: {_line(error)}") from error


def _check_answer(address: str) -> None:
    """Refuse an address where nothing answers; Ray would try for minutes.

    Raises:
        OSError: no connection.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():  # else it is "auto", or Ray says what is wrong
        socket.create_connection((host, int(port)), CONNECTION_SECONDS).close()


class RayEngine:
    """The actors of a Ray cluster."""

    is_local = False

    def __init__(self, jobs: int | None = None) -> None:
        """
        Args:
            jobs: number of actors; None for one per core, or per GPU if the work uses GPUs.
        """
        self._jobs = jobs
        self._maps: list[Generator[Any, None, None]] = []

    def map(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine`."""
        results = self._map(work, items)
        self._maps.append(results)
        return results

    def close(self) -> None:
        """End the work whose results were not all taken, since its threads would start Ray again."""
        for results in self._maps:
            results.close()

    def _map(self, work: Work[Item, Result], items: Iterable[Item]) -> Generator[Result, None, None]:
        """The results; see `map`."""
        import ray

        done = iter(self._dataset(work, items).iter_rows())
        try:
            for row in done:
                for level, line in row["done"].log:
                    logger.log(level, "%s", line)
                if row["done"].mistake:
                    raise UserError(row["done"].mistake)
                yield from row["done"].results
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ImportError):
                raise UserError(f"a worker lacks {error.cause.name}; install it on all computers") from error
            raise
        except (ray.exceptions.RayError, MemoryError) as error:
            raise UserError(f"the Ray cluster cannot do the work: {_line(error)}") from error
        finally:
            with deferred_stop():
                done.close()

    def _dataset(self, work: Work[Any, Any], items: Iterable[Any]) -> Any:
        """The dataset of results, which is computed while it is read."""
        import ray

        resource = self._resource(work.device)
        there = int(ray.cluster_resources().get(resource, 0))
        size = max(1, min(self._jobs or there, there))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        context.execution_options.preserve_order = True
        context.target_max_block_size = 1  # a block is a batch, as it was listed
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Attempts).remote()
        setting = Setting(ray.put(work), attempts, str(Path.cwd()), speechvq.__version__)
        listed = ray.data.read_datasource(_listing(items, work.batch_size), override_num_blocks=1, num_cpus=0)
        return listed.map_batches(
            Worker,
            fn_constructor_args=(setting,),
            batch_size=None,
            batch_format="pandas",
            compute=ray.data.ActorPoolStrategy(min_size=size, max_size=self._jobs),
            num_cpus=1 if resource == "CPU" else 0,
            num_gpus=1 if resource == "GPU" else 0,
            max_restarts=MAX_RESTARTS,
            max_task_retries=-1,
        )

    @staticmethod
    def _resource(device: str) -> str:
        """What an actor takes one of: "GPU" where the cluster has any and the work can use them."""
        import ray

        has_gpus = ray.cluster_resources().get("GPU", 0) >= 1
        if device == "cpu" or (device == AUTO and not has_gpus):
            return "CPU"
        if device not in (AUTO, "cuda"):
            raise UserError(f"--device {device}: every worker of Ray has its own GPU; give cuda, auto or cpu")
        if not has_gpus:
            raise UserError(f"--device {device}: the Ray cluster has no GPU; give cpu or auto")
        return "GPU"


def _listing(items: Iterable[Any], size: int) -> Any:
    """A Ray data source of one task, which iterates over the items."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    folder = str(Path.cwd())

    class Listing(Datasource):
        """Batches of items, one per block."""

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_: Any, **__: Any) -> list[Any]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(partial(blocks, items, size, folder), unknown)]

    return Listing()


@contextmanager
def _kept_signals() -> Iterator[None]:
    """Restore the handlers of signals that Ray replaces."""
    before = {each: signal.getsignal(each) for each in SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            if handler is not None:
                signal.signal(each, handler)


@contextmanager
def _discarded_messages() -> Iterator[None]:
    """Discard what Ray's libraries print on stderr, past Python, while they start."""
    try:
        original = os.dup(2)
    except OSError:  # the process has no stderr
        yield
        return
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)


def _line(error: BaseException) -> str:
    """The first line of an error that says something."""
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return short_repr(lines[0])[:300] if lines else type(error).__name__
