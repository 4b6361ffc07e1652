"""Splitting a recording into overlapping streams and joining them: faster, and an approximation.

A stream that starts in the middle does not know the samples before it. It runs for a warm-up time first, and
is then joined by a crossfade where the two waveforms are most alike. Codes, F0 and random numbers are those
of the whole recording; the samples after the first join are not.

    chunk 1   |------------------------------------|
    chunk 2                       | warm-up |search|tail|------------
                                              ^ a crossfade somewhere within
"""

import math
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.waveform import SAMPLE_RATE

# Seconds that each chunk contributes, about: short, so that one sentence keeps several cores busy.
SEGMENT = 1.5
# Seconds. The tail keeps the join away from the end of the conditioning.
WARMUP, SEARCH, TAIL = 0.25, 0.06, 0.1
CROSSFADE = 160  # samples


class Chunk(NamedTuple):
    """Code frames of one stream."""

    start: int
    stop: int  # exclusive


class OverlapAddResult(NamedTuple):
    """A waveform joined from chunks."""

    wave: np.ndarray  # (T,)
    # (joins,), RMS of the difference within each crossfade, relative to the RMS of the waveform.
    errors: np.ndarray


def split(frames: int, hop: int) -> list[Chunk]:
    """Chunks that cover `frames` code frames; each starts on a frame of the F0 contour as well."""
    grid = F0_HOP // math.gcd(hop, F0_HOP)  # code frames between two common starts
    per_second = SAMPLE_RATE / hop

    def on_grid(seconds: float) -> int:
        return max(math.ceil(seconds * per_second / grid), 1) * grid

    length, overlap = on_grid(SEGMENT), on_grid(WARMUP) + on_grid(SEARCH) + on_grid(TAIL)
    starts = range(0, max(frames - overlap, 1), length)
    return [Chunk(start, min(start + length + overlap, frames)) for start in starts]


def overlap_add(waves: list[np.ndarray], chunks: list[Chunk], hop: int) -> OverlapAddResult:
    """Join the waveforms of chunks by crossfades.

    Args:
        waves: (frames x hop,) for each chunk.
        chunks: from `split`.
        hop: samples per code frame.
    """
    whole = np.zeros(chunks[-1].stop * hop, np.float32)
    whole[: len(waves[0])] = waves[0]
    differences = []
    warmup, search = round(WARMUP * SAMPLE_RATE), round(SEARCH * SAMPLE_RATE)
    rise = np.linspace(0, 1, CROSSFADE, dtype=np.float32)
    for wave, chunk in zip(waves[1:], chunks[1:]):
        start = chunk.start * hop
        before = whole[start + warmup : start + warmup + search + CROSSFADE]
        difference = np.square(before - wave[warmup : warmup + search + CROSSFADE], dtype=np.float64)
        energy = np.convolve(difference, np.ones(CROSSFADE), mode="valid")
        best = int(energy.argmin())
        differences.append(float(np.sqrt(energy[best] / CROSSFADE)))
        join = warmup + best
        fade = slice(start + join, start + join + CROSSFADE)
        whole[fade] += rise * (wave[join : join + CROSSFADE] - whole[fade])
        whole[start + join + CROSSFADE : start + len(wave)] = wave[join + CROSSFADE :]
    rms = float(np.sqrt(np.mean(np.square(whole, dtype=np.float64)))) or 1.0
    return OverlapAddResult(whole, np.array(differences) / rms)
