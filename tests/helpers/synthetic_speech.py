"""Synthetic speech with known F0 and formants: pulse trains or noise through resonances."""

from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.data.manifest import Utterance, write_manifest

# Median F0 in Hz and scale of the formant frequencies of each speaker.
SPEAKERS = {"ann": (210.0, 1.15), "ben": (110.0, 0.9), "cay": (165.0, 1.0)}
FORMANTS = (
    (700, 1200, 2600),
    (300, 2200, 3000),
    (350, 800, 2400),
    (500, 1500, 2500),
)  # Hz, of a, i, u and schwa


def speech(speaker: str, seed: int = 0, *, seconds: float = 1.5, whispered: bool = False) -> np.ndarray:
    """A random sequence of vowels of 150 ms, (T,), float32, RMS 0.06; the seed determines the vowels."""
    median_f0, formant_scale = SPEAKERS[speaker]
    rng = np.random.default_rng(seed)
    samples = round(seconds * SAMPLE_RATE)
    f0 = median_f0 * 2 ** (0.15 * np.sin(2 * np.pi * 1.3 * np.arange(samples) / SAMPLE_RATE))
    pulses = np.diff(np.floor(np.cumsum(f0) / SAMPLE_RATE), prepend=0)
    noise = rng.standard_normal(samples)
    excitation = 0.2 * noise if whispered else lfilter([1], [1, -0.95], pulses) + 0.01 * noise
    wave, vowel = np.empty(samples), round(0.15 * SAMPLE_RATE)
    for start in range(0, samples, vowel):
        formants = np.array(FORMANTS[rng.integers(len(FORMANTS))]) * formant_scale
        wave[start : start + vowel] = lfilter([1], _resonances(formants), excitation[start : start + vowel])
    return (wave * 0.06 / np.sqrt(np.mean(wave**2))).astype(np.float32)


def make_speech_corpus(folder: Path, sentences: int = 6) -> Path:
    """Write a prepared corpus of the three speakers; the last two sentences of each are dev and test."""
    utterances = []
    for number, speaker in enumerate(SPEAKERS):
        for i in range(sentences):
            path = folder / "audio" / f"{speaker}_{i}.flac"
            wave = speech(speaker, seed=100 * number + i)
            write_waveform(path, wave)
            split = {sentences - 2: "dev", sentences - 1: "test"}.get(i, "train")
            utterances.append(Utterance(f"{speaker}_{i}", speaker, split, len(wave) / SAMPLE_RATE, path))
    write_manifest(folder / "manifest.tsv", utterances)
    return folder


def _resonances(hertz: np.ndarray) -> np.ndarray:
    """Denominator of an all-pole filter with a resonance of 90 Hz bandwidth at each frequency."""
    poles = np.exp((-np.pi * 90 + 2j * np.pi * hertz) / SAMPLE_RATE)
    return np.real(np.poly(np.concatenate([poles, poles.conj()])))
