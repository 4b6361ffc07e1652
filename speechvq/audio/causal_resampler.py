"""Resampling of a stream with a small, stated latency."""

import math

import numpy as np

ZERO_CROSSINGS = 24  # of the sinc on each side, in samples of the lower rate: 1.5 ms at 16 kHz
KAISER_BETA = 7.0  # stop band 70 dB down
PASSBAND = 0.93  # cut-off frequency relative to half the lower rate
MAX_PHASES = 1 << 16  # rows of the filter table; two rates without a common factor need one per output sample


class CausalResampler:
    """Resamples a stream of samples; the outputs do not depend on how the input is cut into blocks.

    A windowed sinc in polyphase form (Smith and Gossett 1984). Files are read through `soxr`, which
    collects up to 40 ms of input before it returns anything.

    Attributes:
        latency: how much later an output is than the input that it stands for, seconds.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        """
        Args:
            source_rate: Hz, of the input.
            target_rate: Hz, of the output.

        Raises:
            ValueError: a rate below 1, or two rates whose ratio is no fraction of small numbers.
        """
        if source_rate < 1 or target_rate < 1:
            raise ValueError(f"expected rates of at least 1 Hz, got {source_rate} and {target_rate}")
        factor = math.gcd(source_rate, target_rate)
        self._phases, self._step = target_rate // factor, source_rate // factor
        if self._phases > MAX_PHASES:
            raise ValueError(f"{source_rate} to {target_rate} Hz: no ratio of small whole numbers")
        half = math.ceil(ZERO_CROSSINGS * source_rate / min(source_rate, target_rate))
        self.latency = 0.0 if source_rate == target_rate else half / source_rate
        self._filters = _filters(self._phases, half, min(1.0, target_rate / source_rate))
        self._kept = np.zeros(2 * half - 1, np.float32)
        self._position = 0  # of the next output, in 1 / phases of an input sample, relative to the kept ones

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Outputs that are complete now: (n,), float32, to (m,), float32."""
        if self._phases == self._step:
            return samples
        self._kept = np.concatenate([self._kept, samples])
        taps = self._filters.shape[1]
        count = (max(len(self._kept) - taps + 1, 0) * self._phases - self._position - 1) // self._step + 1
        if count <= 0:
            return np.empty(0, np.float32)
        first, phase = np.divmod(self._position + self._step * np.arange(count), self._phases)
        windows = np.lib.stride_tricks.sliding_window_view(self._kept, taps)[first]
        outputs = np.einsum("nt,nt->n", windows, self._filters[phase])
        used, self._position = divmod(self._position + self._step * count, self._phases)
        dropped = min(used, len(self._kept))
        self._kept, self._position = self._kept[dropped:], self._position + (used - dropped) * self._phases
        return outputs


def _filters(phases: int, half: int, cutoff: float) -> np.ndarray:
    """Filters (phases, 2 half): row p gives the signal p / phases after the sample `half` - 1 of the window.

    Args:
        phases: outputs between two inputs.
        half: taps on each side.
        cutoff: half the lower rate, relative to half the rate of the input.
    """
    offset = np.arange(1 - half, half + 1) - np.arange(phases)[:, None] / phases
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(1 - (offset / half) ** 2, 0))) / np.i0(KAISER_BETA)
    filters = np.sinc(PASSBAND * cutoff * offset) * window
    return (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
