"""Splitting into overlapping chunks and joining them: coverage, place of the join, and join errors."""

import numpy as np
import pytest

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.sampling.overlap_add import (
    CROSSFADE,
    SEARCH,
    SEGMENT,
    TAIL,
    WARMUP,
    Chunk,
    overlap_add,
    split,
)

HOPS = (8, 64, 128, 160, 640)


def seconds_of(frames: int, hop: int) -> float:
    return frames * hop / SAMPLE_RATE


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("seconds", [0.01, 0.4, 3.0, 3.3, 3.5, 6.4, 7.0, 61.3])
def test_chunks_cover_a_waveform_and_overlap_by_what_a_join_needs(seconds: float, hop: int) -> None:
    frames = max(round(seconds * SAMPLE_RATE / hop), 1)
    chunks = split(frames, hop)
    assert chunks[0].start == 0 and chunks[-1].stop == frames
    for before, after in zip(chunks, chunks[1:]):
        assert before.start < after.start < before.stop < after.stop
        overlap = seconds_of(before.stop - after.start, hop)
        assert -1e-9 < overlap - (WARMUP + SEARCH + TAIL) < 0.25
    for chunk in chunks:
        assert chunk.start * hop % F0_HOP == 0, "a chunk starts on an F0 frame"
        assert seconds_of(chunk.stop - chunk.start, hop) < SEGMENT + WARMUP + SEARCH + TAIL + 0.35


@pytest.mark.parametrize("hop", HOPS)
def test_a_short_waveform_is_one_chunk(hop: int) -> None:
    for frames in (0, 1, 2, int(SEGMENT * SAMPLE_RATE / hop)):
        assert split(frames, hop) == [Chunk(0, frames)]


@pytest.mark.parametrize("hop", HOPS)
def test_every_length_is_covered(hop: int) -> None:
    second = SAMPLE_RATE // hop
    for frames in range(3 * second, 7 * second, max(second // 40, 1)):
        chunks = split(frames, hop)
        coverage = np.zeros(frames, int)
        for chunk in chunks:
            coverage[chunk.start : chunk.stop] += 1
        assert set(coverage.tolist()) <= {1, 2}


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("seconds", [2.0, 3.45, 10.0])
def test_chunks_of_a_waveform_are_joined_to_that_waveform(seconds: float, hop: int) -> None:
    frames = round(seconds * SAMPLE_RATE / hop)
    wave = np.random.default_rng(0).standard_normal(frames * hop).astype(np.float32)
    chunks = split(frames, hop)
    joined = overlap_add([wave[chunk.start * hop : chunk.stop * hop] for chunk in chunks], chunks, hop)
    assert np.array_equal(joined.wave, wave) and joined.wave.dtype == np.float32
    assert joined.errors.tolist() == [0.0] * (len(chunks) - 1)


def test_the_join_is_at_the_smallest_difference() -> None:
    """Two waveforms that agree for the length of one crossfade only are joined there, without error."""
    hop, rng = 64, np.random.default_rng(0)
    frames = round(2.3 * SAMPLE_RATE / hop)
    chunks = split(frames, hop)
    first, second = (rng.standard_normal((c.stop - c.start) * hop).astype(np.float32) for c in chunks)
    place = round(WARMUP * SAMPLE_RATE) + 333
    start = chunks[1].start * hop + place  # within the first chunk
    second[place : place + CROSSFADE] = first[start : start + CROSSFADE]
    joined = overlap_add([first, second], chunks, hop)
    assert joined.errors.tolist() == [0.0]
    assert np.array_equal(joined.wave[: start + CROSSFADE], first[: start + CROSSFADE])
    assert np.array_equal(joined.wave[start + CROSSFADE :], second[place + CROSSFADE :])


@pytest.mark.parametrize("level", [0.01, 1.0])
def test_join_errors_are_relative_to_the_level(level: float) -> None:
    """Independent waveforms differ by sqrt(2) times their RMS, or a little less at the best place."""
    hop, frames = 64, round(12.0 * SAMPLE_RATE / 64)
    chunks, rng = split(frames, hop), np.random.default_rng(1)
    waves = [level * rng.standard_normal((c.stop - c.start) * hop).astype(np.float32) for c in chunks]
    joined = overlap_add(waves, chunks, hop)
    assert joined.wave.shape == (frames * hop,) and joined.errors.shape == (len(chunks) - 1,)
    assert (0.9 < joined.errors).all() and (joined.errors < np.sqrt(2)).all()
    assert np.abs(joined.wave).max() <= max(np.abs(wave).max() for wave in waves)


def test_silence_joins_without_error() -> None:
    frames = round(7.0 * SAMPLE_RATE / 64)
    chunks = split(frames, 64)
    joined = overlap_add([np.zeros((c.stop - c.start) * 64, np.float32) for c in chunks], chunks, 64)
    assert not joined.wave.any() and not joined.errors.any() and len(joined.errors) == len(chunks) - 1
