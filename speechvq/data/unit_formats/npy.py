"""Units as one `.npy` file per utterance."""

from pathlib import Path
from types import TracebackType

import numpy as np

from speechvq.io.atomic import atomic_file
from speechvq.io.journal import Inputs, Journal
from speechvq.runtime.signals import deferred_stop


def write_npy(path: Path, values: np.ndarray) -> None:
    """Write codes (N,) or features (N, C), atomically; parent folders are created.

    Raises:
        UserError: the disk is full or not writable.
    """
    with atomic_file(path) as temporary:
        np.save(temporary, values, allow_pickle=False)


class NpyWriter:
    """Writes one file per utterance at once; the interface is that of `shards.ShardWriter`."""

    def __init__(self, out: Path, journal: Journal) -> None:
        """
        Args:
            out: the units directory.
            journal: of that folder.
        """
        self.out, self.journal = out, journal

    def __enter__(self) -> "NpyWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def add(self, name: str, speaker: str, values: np.ndarray, inputs: Inputs) -> None:
        """Write an utterance and enter it into the journal.

        Raises:
            UserError: the disk is full or not writable.
        """
        path = self.out / f"{name}.npy"
        with deferred_stop():  # a result is in the journal, or is made again
            write_npy(path, values)
            self.journal.add(name, inputs, [path])
