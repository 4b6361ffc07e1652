"""The F0 contour of ten minutes of audio took an extra 150 MB: two copies in double precision."""

import tracemalloc

import numpy as np

from speechvq.audio.f0 import f0_contour
from speechvq.audio.waveform import SAMPLE_RATE


def peak_memory(wave: np.ndarray) -> int:
    tracemalloc.start()
    f0_contour(wave)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_f0_contour_allocates_less_than_two_copies() -> None:
    wave = np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE, np.float32)
    short = wave[: 20 * SAMPLE_RATE]
    assert peak_memory(wave) - peak_memory(short) < 2 * (wave.nbytes - short.nbytes)
