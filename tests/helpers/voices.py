"""Synthetic speech for tests: pulse trains or noise through formants, so that pitch and voice are known."""

from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.data.manifest import Utterance, write_manifest

# Of each voice: median pitch in Hz, and how much its throat stretches the formants.
VOICES = {"ann": (210.0, 1.15), "ben": (110.0, 0.9), "cay": (165.0, 1.0)}
FORMANTS = (
    (700, 1200, 2600),
    (300, 2200, 3000),
    (350, 800, 2400),
    (500, 1500, 2500),
)  # Hz, of a, i, u and schwa


def speech(voice: str, seed: int = 0, *, seconds: float = 1.5, whispered: bool = False) -> np.ndarray:
    """A "sentence" of vowels of 150 ms that depend on the seed: (T,), float32, RMS 0.06."""
    pitch, throat = VOICES[voice]
    rng = np.random.default_rng(seed)
    samples = round(seconds * SAMPLE_RATE)
    hertz = pitch * 2 ** (0.15 * np.sin(2 * np.pi * 1.3 * np.arange(samples) / SAMPLE_RATE))
    pulses = np.diff(np.floor(np.cumsum(hertz) / SAMPLE_RATE), prepend=0)
    noise = rng.standard_normal(samples)
    excitation = 0.2 * noise if whispered else lfilter([1], [1, -0.95], pulses) + 0.01 * noise
    wave, part = np.empty(samples), round(0.15 * SAMPLE_RATE)
    for start in range(0, samples, part):
        poles = np.array(FORMANTS[rng.integers(len(FORMANTS))]) * throat
        wave[start : start + part] = lfilter([1], _resonances(poles), excitation[start : start + part])
    return (wave * 0.06 / np.sqrt(np.mean(wave**2))).astype(np.float32)


def make_voices(folder: Path, sentences: int = 6) -> Path:
    """Write a prepared corpus of the three voices; the last two sentences of each are dev and test."""
    utterances = []
    for number, voice in enumerate(VOICES):
        for i in range(sentences):
            path = folder / "audio" / f"{voice}_{i}.flac"
            wave = speech(voice, seed=100 * number + i)
            write_waveform(path, wave)
            split = {sentences - 2: "dev", sentences - 1: "test"}.get(i, "train")
            utterances.append(Utterance(f"{voice}_{i}", voice, split, len(wave) / SAMPLE_RATE, path))
    write_manifest(folder / "manifest.tsv", utterances)
    return folder


def _resonances(hertz: np.ndarray) -> np.ndarray:
    """Denominator of an all-pole filter that rings at each frequency with a bandwidth of 90 Hz."""
    poles = np.exp((-np.pi * 90 + 2j * np.pi * hertz) / SAMPLE_RATE)
    return np.real(np.poly(np.concatenate([poles, poles.conj()])))
