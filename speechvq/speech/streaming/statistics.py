"""Running estimates on a stream of what a whole recording would tell: level, mean spectrum, mean F0."""

import math

import numpy as np

from speechvq.audio.f0 import F0_HOP, silence_threshold
from speechvq.audio.waveform import TARGET_RMS

LEVEL_FRAMES = 300  # frames of speech that the level is averaged over, 3 s
LEVEL_PRIOR_FRAMES = 10  # weight of the initial level
MEAN_FRAMES = 1000  # frames of speech of ordinary loudness that the mean spectrum is averaged over, 10 s
MEAN_PRIOR_FRAMES = 20
F0_FRAMES = 2000  # voiced frames that the mean F0 is averaged over, 20 s
MAX_GAIN = 100.0  # of a faint recording, 40 dB


class RunningGain:
    """Gain of each sample that brings the speech so far to the level of the training data.

    The gain of a frame comes from the frames before it, and moves linearly within the frame.
    """

    def __init__(self) -> None:
        self._power, self._weight = TARGET_RMS**2, float(LEVEL_PRIOR_FRAMES)
        self._loudest, self._gain = 0.0, 1.0

    def push(self, frame: np.ndarray) -> np.ndarray:
        """Gains (F0_HOP,) of the next frame, (F0_HOP,)."""
        before = self._gain
        rms = math.sqrt(float(np.square(frame, dtype=np.float64).mean()))
        self._loudest = max(self._loudest, rms)
        # The first frames are relative to the initial level, so that noise before speech is not amplified.
        if rms > silence_threshold(max(self._loudest, TARGET_RMS / MAX_GAIN)):
            self._power = (self._power * self._weight + rms**2) / (self._weight + 1)
            self._weight = min(self._weight + 1, LEVEL_FRAMES)
            self._gain = min(TARGET_RMS / math.sqrt(self._power), MAX_GAIN)
        return before + (self._gain - before) * np.arange(1, F0_HOP + 1) / F0_HOP


class RunningMean:
    """Mean spectrum of the speech so far; the spectra are weighted as in `utterance_mean`."""

    def __init__(self, prior: np.ndarray) -> None:
        """
        Args:
            prior: (M,), mean spectrum before there is any speech.
        """
        weight = math.exp(0.5 * float(prior.mean()))  # of a frame as loud as the prior
        self._limit = MEAN_FRAMES * weight
        self._weight = MEAN_PRIOR_FRAMES * weight
        self._sum = prior.astype(np.float64) * self._weight

    def push(self, spectra: np.ndarray) -> np.ndarray:
        """Mean after each spectrum, (n, M), of the next spectra (n, M)."""
        means = np.empty_like(spectra)
        for mean, spectrum in zip(means, spectra):
            weight = math.exp(0.5 * float(spectrum.mean()))  # as of `utterance_sums`
            self._sum, self._weight = self._sum + weight * spectrum, self._weight + weight
            if self._weight > self._limit:
                self._sum, self._weight = self._sum * (self._limit / self._weight), self._limit
            mean[:] = self._sum / self._weight
        return means


class RunningF0:
    """Geometric mean F0 of the voiced frames so far.

    Attributes:
        value: Hz; 0 before the first voiced frame.
    """

    def __init__(self) -> None:
        self._log, self._weight, self.value = 0.0, 0, 0.0

    def push(self, f0: float) -> float:
        """Mean after the next frame, Hz; 0 before the first voiced one."""
        if f0 > 0:
            self._weight = min(self._weight + 1, F0_FRAMES)
            self._log += (math.log(f0) - self._log) / self._weight
            self.value = math.exp(self._log)
        return self.value
