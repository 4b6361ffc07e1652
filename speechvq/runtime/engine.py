"""Work on many utterances: a function of an utterance, run by the local pool or on a Ray cluster.

A command states its work as a `Work`, and gives the utterances as an iterable. Both engines yield the results
in the order of the utterances, so a command cannot tell them apart. `ray_engine` has
the other engine, and `engine_choice` opens one by its name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from speechvq.runtime.worker_pool import map_in_order

Item = TypeVar("Item")
Result = TypeVar("Result")


class Work(ABC, Generic[Item, Result]):
    """A function of an utterance. It is sent to every worker process, which keeps what the function needs.

    Attributes:
        batch_size: utterances that a worker takes at once at first; a second of work or more.
        device: a name as of `--device` if the function computes on a GPU where there is one, else "cpu".
    """

    batch_size: int = 16
    device: str = "cpu"

    @abstractmethod
    def start(self) -> Callable[[Item], Result]:
        """The function; called once in each worker, for example to move a model to its GPU."""

    @abstractmethod
    def lost(self, item: Item, reason: str) -> Result:
        """The result of an utterance during which worker processes ended again and again.

        Raises:
            UserError: the command cannot do without this utterance.
        """


class Engine(Protocol):
    """Runs work on many utterances."""

    is_local: bool

    def map(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """Results in the order of the utterances.

        Args:
            work: the function of an utterance.
            items: the utterances. Another process may iterate over them, and twice if it is lost, so an
                iteration must not change what the next one yields.

        Raises:
            UserError: raised by the work or by the iteration, or the workers cannot do it.
        """
        ...


class LocalEngine:
    """The processes of this computer."""

    is_local = True

    def __init__(self, jobs: int | None = None) -> None:
        """
        Args:
            jobs: number of processes; None for one per core. Few utterances need no other process.
        """
        self._jobs = jobs

    def map(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Engine`."""
        few = 2 * work.batch_size  # the time to start a process
        return map_in_order(_StartedOnce(work), items, self._jobs, min_items_per_process=few)


class _StartedOnce(Generic[Item, Result]):
    """The function of a work, which is started at the first utterance of each process."""

    def __init__(self, work: Work[Item, Result]) -> None:
        self._work = work
        self._function: Callable[[Item], Result] | None = None

    def __call__(self, item: Item) -> Result:
        if self._function is None:
            self._function = self._work.start()
        return self._function(item)
