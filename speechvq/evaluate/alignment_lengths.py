"""Whether alignments last as long as the codes or recordings that they are scored with."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import is_silence
from speechvq.runtime.logging import logger

MAX_DIFFERENCE = 0.1  # seconds; frames of 40 ms at an end that an encoder leaves out stay below it
_MIN_STRETCH = 0.02  # relative; a smaller difference of rates is none
_MAX_SPREAD = 0.1  # of the stretch between utterances; a wrong frame rate stretches all alike
_MIN_LENGTH_RATIO = 1.5  # of the longest to the shortest utterance; else a cut looks like a stretch


class AlignmentLengths:
    """Differences between the ends of alignments and of what they are scored with."""

    def __init__(self) -> None:
        self.num_late = 0  # alignments that end after the codes
        self._num_early, self._count, self._cut = 0, 0, False
        self._stretches: list[float] = []
        self._seconds: list[float] = []
        self._largest = 0.0

    def add(self, intervals: Sequence[Interval], seconds: float, *, start: float) -> None:
        """Compare one utterance.

        Args:
            intervals: its phones.
            seconds: of its codes or its recording.
            start: seconds that `prepare` cut at its beginning; 0 if unknown, or if the phones are shifted.
        """
        difference = intervals[-1].end - seconds
        self._count += 1
        # An alignment without silence may end early.
        early = difference < -MAX_DIFFERENCE and is_silence(intervals[-1].phone)
        late = difference > MAX_DIFFERENCE
        self.num_late += late
        self._num_early += early
        self._cut |= late and start > 0
        if late or early:
            self._largest = max(self._largest, abs(difference))
        if seconds:
            self._seconds.append(seconds)
            self._stretches.append(intervals[-1].end / seconds)

    def warn(self, where: Path) -> None:
        """Log a line that names the likely cause, if ends differ by more than MAX_DIFFERENCE."""
        if not self.num_late and not self._num_early:
            return
        kinds = {"phones continue after the last code": self.num_late, "codes continue": self._num_early}
        found = " and ".join(f"in {n} of {self._count} utterances {what}" for what, n in kinds.items() if n)
        logger.warning("%s: %s, by up to %.2f s; %s", where, found, self._largest, self._cause())

    def _cause(self) -> str:
        if self._cut:
            return (
                "the alignments seem to be of the recordings before `prepare` trimmed them: "
                "give --shift-alignments"
            )
        if self._is_stretched():
            return "all differ by one factor: check frame_rate_hz"
        return (
            "the alignments seem to be of other recordings, such as those before silence was trimmed "
            "(`prepare` trims: give its manifest and --shift-alignments); or check frame_rate_hz"
        )

    def _is_stretched(self) -> bool:
        """Whether all alignments are longer, or all shorter, by one factor."""
        if not self._seconds or max(self._seconds) < _MIN_LENGTH_RATIO * min(self._seconds):
            return False
        stretch = statistics.median(self._stretches)
        spread = max(abs(each - stretch) for each in self._stretches)
        return abs(stretch - 1) > _MIN_STRETCH and spread < _MAX_SPREAD * abs(stretch - 1)
