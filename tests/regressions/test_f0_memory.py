"""The F0 contour of ten minutes took 150 MB more than the audio: two copies of it in double precision."""

import tracemalloc

import numpy as np

from speechvq.audio.f0 import f0_contour
from speechvq.audio.waveform import SAMPLE_RATE


def most_memory(wave: np.ndarray) -> int:
    tracemalloc.start()
    f0_contour(wave)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def test_it_takes_one_copy() -> None:
    wave = np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE, np.float32)
    short = wave[: 20 * SAMPLE_RATE]
    assert most_memory(wave) - most_memory(short) < 2 * (wave.nbytes - short.nbytes)
