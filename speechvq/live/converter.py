"""Conversion of blocks at any rate, with the time that each takes."""

import time
from collections import deque
from typing import NamedTuple

import numpy as np

from speechvq.audio.causal_resampler import CausalResampler
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.streaming.conversion import ConversionStream

TIMED_BLOCKS = 3000  # blocks whose times are kept, a minute of 20 ms


class Latency(NamedTuple):
    """Parts of the time from a sample at the microphone to its conversion at the loudspeaker, ms."""

    block: float  # samples are handed over in blocks
    model: float  # what a sample waits for, and what the windows span
    resampling: float
    devices: float = 0.0  # what the system says of microphone and loudspeaker
    buffer: float = 0.0  # in front of the loudspeaker

    @property
    def total(self) -> float:
        """Their sum."""
        return sum(self)


class LiveConverter:
    """Converts blocks at the rate of the input to blocks at the rate of the output.

    Attributes:
        seconds: of input so far.
    """

    def __init__(self, stream: ConversionStream, source_rate: int, target_rate: int, block_ms: float) -> None:
        """
        Args:
            stream: converts at 16 kHz.
            source_rate: Hz, of the input.
            target_rate: Hz, of the output.
            block_ms: duration of a block.
        """
        self._stream, self._source_rate = stream, source_rate
        self._inward, self._outward = (
            CausalResampler(source_rate, SAMPLE_RATE),
            CausalResampler(SAMPLE_RATE, target_rate),
        )
        self._block_ms = block_ms
        self._times: deque[float] = deque(maxlen=TIMED_BLOCKS)  # of a block, relative to its duration
        self.seconds = 0.0

    def push(self, block: np.ndarray) -> np.ndarray:
        """Converted samples that are ready now: (n,), at the input's rate, to (m,), at the output's."""
        begun = time.perf_counter()
        converted = self._outward.push(self._stream.push(self._inward.push(block)))
        if len(block):
            self._times.append((time.perf_counter() - begun) * self._source_rate / len(block))
            self.seconds += len(block) / self._source_rate
        return converted

    def flush(self) -> np.ndarray:
        """The samples that are still missing, as if silence followed; ends the conversion."""
        silence = np.zeros(round(2 * self._inward.latency * self._source_rate), np.float32)
        rest = [self._stream.push(self._inward.push(silence)), self._stream.flush()]
        tail = np.zeros(round(2 * self._outward.latency * SAMPLE_RATE), np.float32)
        return self._outward.push(np.concatenate([*rest, tail]))

    @property
    def bad_samples(self) -> int:
        """NaN or infinite samples that were replaced by silence."""
        return self._stream.bad_samples

    @property
    def latency(self) -> Latency:
        """The parts that are known without the devices."""
        resampling = self._inward.latency + self._outward.latency
        return Latency(self._block_ms, self._stream.lookahead_ms, 1000 * resampling)

    def load(self, percentile: float) -> float:
        """Time of a block relative to its duration, a percentile of the last minute; 0 before the first."""
        return float(np.percentile(self._times, percentile)) if self._times else 0.0
