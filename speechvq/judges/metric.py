"""What a judge of conversions hears, and what is asked of it."""

from typing import NamedTuple, Protocol

import numpy as np

from speechvq.data.conversions import Job
from speechvq.metrics.summary import Figure


class Heard(NamedTuple):
    """The sounds of one conversion, (T,) each, 16 kHz."""

    job: Job
    source: np.ndarray
    converted: np.ndarray
    own: np.ndarray | None  # another recording of the target
    stranger: np.ndarray | None  # the source of another sentence


class Judge(Protocol):
    """Hears every conversion once."""

    def hear(self, heard: Heard) -> None:
        """Measure one conversion and its baselines."""

    def figures(self) -> list[Figure]:
        """What all of them come to."""
