"""Which shards hold an utterance, in little memory."""

from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np


class ShardIndex:
    """The shards of each utterance by a hash of its name, 12 bytes per utterance.

    Equal hashes of two names cost a needless look into a shard. Hashes differ between processes.
    """

    def __init__(self, shards: Iterable[tuple[Path, Iterable[str]]]) -> None:
        """
        Args:
            shards: the path of each, and the names of its utterances.
        """
        self._paths: list[Path] = []
        hashes, numbers = array("q"), array("i")
        for path, names in shards:
            for name in names:
                hashes.append(hash(name))
                numbers.append(len(self._paths))
            self._paths.append(path)
        order = np.argsort(np.array(hashes, np.int64), kind="stable")
        self._hashes = np.array(hashes, np.int64)[order]
        self._numbers = np.array(numbers, np.int32)[order]

    def shards(self, name: str) -> set[Path]:
        """The shards that may hold an utterance."""
        first = np.searchsorted(self._hashes, hash(name), "left")
        last = np.searchsorted(self._hashes, hash(name), "right")
        return {self._paths[number] for number in self._numbers[first:last]}
