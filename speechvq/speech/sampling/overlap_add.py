"""Cutting one long sound into overlapping streams, and joining what they say: faster, and an approximation.

A stream that begins in the middle does not know the samples before; it is given time to settle, and is joined where the
two sounds are most alike. The codes, the pitch and the chance are those of the whole, the samples are not.

    chunk 1   |--------------------------------|                    |...| settles, not heard
    chunk 2                          |........|join|tail|---------       |join| crossfade somewhere within
"""

import math
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.waveform import SAMPLE_RATE

SEGMENT = 1.5  # s of every chunk, about: enough streams for several cores from a sentence on
WARMUP, SEARCH, TAIL = 0.25, 0.06, 0.1  # s; the tail keeps the join away from the conditioning's edge
CROSSFADE = 160  # samples


class Chunk(NamedTuple):
    """Code frames that one stream speaks."""

    first: int
    last: int


class OverlapAddResult(NamedTuple):
    """A sound made of chunks."""

    wave: np.ndarray  # (T,)
    errors: (
        np.ndarray
    )  # (joins,), RMS of the difference within each crossfade over the RMS of the whole sound


def split(frames: int, hop: int) -> list[Chunk]:
    """Chunks of a sound of so many code frames; each begins on a frame of the pitch contour too."""
    grid = F0_HOP // math.gcd(hop, F0_HOP)  # code frames from one common beginning to the next
    per_second = SAMPLE_RATE / hop

    def on_grid(seconds: float) -> int:
        return max(math.ceil(seconds * per_second / grid), 1) * grid

    heard, overlap = on_grid(SEGMENT), on_grid(WARMUP) + on_grid(SEARCH) + on_grid(TAIL)
    starts = range(0, max(frames - overlap, 1), heard)
    return [Chunk(start, min(start + heard + overlap, frames)) for start in starts]


def overlap_add(sounds: list[np.ndarray], chunks: list[Chunk], hop: int) -> OverlapAddResult:
    """Put the chunks' sounds together: (frames x hop,) each to the whole."""
    whole = np.zeros(chunks[-1].last * hop, np.float32)
    whole[: len(sounds[0])] = sounds[0]
    differences = []
    settle, search = round(WARMUP * SAMPLE_RATE), round(SEARCH * SAMPLE_RATE)
    rise = np.linspace(0, 1, CROSSFADE, dtype=np.float32)
    for sound, chunk in zip(sounds[1:], chunks[1:]):
        start = chunk.first * hop
        before = whole[start + settle : start + settle + search + CROSSFADE]
        difference = np.square(before - sound[settle : settle + search + CROSSFADE], dtype=np.float64)
        energy = np.convolve(difference, np.ones(CROSSFADE), mode="valid")
        best = int(energy.argmin())
        differences.append(float(np.sqrt(energy[best] / CROSSFADE)))
        place = settle + best
        fade = slice(start + place, start + place + CROSSFADE)
        whole[fade] += rise * (sound[place : place + CROSSFADE] - whole[fade])
        whole[start + place + CROSSFADE : start + len(sound)] = sound[place + CROSSFADE :]
    loudness = float(np.sqrt(np.mean(np.square(whole, dtype=np.float64)))) or 1.0
    return OverlapAddResult(whole, np.array(differences) / loudness)
