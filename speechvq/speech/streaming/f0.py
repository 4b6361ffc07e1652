"""F0 tracking on a stream: the tracker of `audio.f0` with a fixed lag."""

from collections import deque

import numpy as np

from speechvq.audio.f0 import (
    F0_HOP,
    JUMP,
    SWITCH,
    WINDOW,
    frame_candidates,
    path_gain,
    range_gain,
    silence_threshold,
)
from speechvq.speech.streaming.statistics import RunningF0


class F0Stream:
    """F0 of frames of 10 ms, each decided `lag` frames after its window is complete.

    The path of a frame is the best one at the newest frame, followed back `lag` frames, as in Viterbi
    decoding of a stream. Silence is judged against the loudest frame so far. F0 near the mean of the decided
    frames is favored, as `track_f0` favors F0 near the median.
    """

    def __init__(self, lag: int) -> None:
        """
        Args:
            lag: frames.
        """
        self.lag = lag
        self._samples = np.zeros(WINDOW // 2, np.float32)
        self._loudest, self._mean = 0.0, RunningF0()
        self._octaves: np.ndarray | None = None  # candidates of the newest frame
        self._score = np.empty(0)  # of the paths to them and to the unvoiced state
        # Candidates and back pointers of the frames that are not decided yet.
        self._history: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=lag + 1)

    @property
    def lookahead_samples(self) -> int:
        """Samples after the center of a frame that its F0 waits for."""
        return WINDOW // 2 + self.lag * F0_HOP

    def push(self, wave: np.ndarray) -> np.ndarray:
        """F0 of the frames that are decided now: (n,) to (F,), Hz, 0 where unvoiced."""
        self._samples = np.concatenate([self._samples, wave])
        count = max((len(self._samples) - WINDOW) // F0_HOP + 1, 0)
        if not count:
            return np.empty(0, np.float32)
        rms, hertz, strengths = frame_candidates(self._samples, count)
        self._samples = self._samples[count * F0_HOP :]
        for i, loudness in enumerate(rms.tolist()):
            self._loudest = max(self._loudest, loudness)
            if loudness <= silence_threshold(self._loudest):
                strengths[i] = 0
        rows = zip(hertz, np.log2(hertz), path_gain(hertz, strengths))
        return np.array([f0 for each in rows if (f0 := self._advance(*each)) is not None], np.float32)

    def _advance(self, hertz: np.ndarray, octaves: np.ndarray, gain: np.ndarray) -> float | None:
        """Add a frame; the F0 of the frame that is decided by it.

        Args:
            hertz, octaves: (M,), candidates of the frame.
            gain: (M + 1,), of the candidates and the unvoiced state.
        """
        from speechvq.audio.f0_kernels import extend_paths

        if self._mean.value > 0:
            gain = gain + range_gain(hertz, self._mean.value)
        back, score = np.zeros(len(gain), np.int64), gain
        if self._octaves is not None:
            score = np.empty(len(gain))
            extend_paths(self._octaves, octaves, gain, JUMP, SWITCH, self._score, score, back)
        self._score, self._octaves = score - score.max(), octaves
        self._history.append((hertz, back))
        if len(self._history) <= self.lag:
            return None
        state, frames = int(self._score.argmax()), list(self._history)
        for _, pointers in reversed(frames[1:]):
            state = int(pointers[state])
        candidates = frames[0][0]
        f0 = float(candidates[state]) if state < len(candidates) else 0.0
        self._mean.push(f0)
        return f0
