"""The F0 benchmark: its speech has the F0 that it claims, its noise the level, and the consensus is fair."""

import sys

import numpy as np
import pytest

from helpers.synthetic_speech import speech
from helpers.tiny import ROOT
from speechvq.audio.f0 import f0_contour
from speechvq.audio.waveform import root_mean_square
from speechvq.metrics.f0_errors import f0_errors

sys.path.insert(0, str(ROOT / "recipes/benchmark"))

import f0


@pytest.mark.parametrize("speaker", ["ann", "ben"])
def test_the_speech_has_the_f0_of_its_contour(speaker: str) -> None:
    wave = np.concatenate([speech(speaker), speech(speaker, whispered=True)])
    example = f0.resynthesize(0, wave)
    errors = f0_errors(example.f0, f0_contour(example.wave))
    assert errors.gross_error < 0.02 and errors.rmse_cents < 15 and errors.voicing_error < 0.1
    assert not np.array_equal(example.f0, f0_contour(wave))  # shifted


def test_noise_has_its_level() -> None:
    wave = speech("ann")
    noisy = f0.add_noise(wave, 10, 0)
    assert root_mean_square(wave) / root_mean_square(noisy - wave) == pytest.approx(10**0.5, rel=1e-3)
    assert np.array_equal(f0.add_noise(wave, None, 0), wave)


def test_consensus_of_the_other_trackers() -> None:
    steady = {f"{hertz}": (lambda wave, hertz=hertz: np.full(50, hertz)) for hertz in (100, 101, 102, 103)}
    found = f0.compare_with_consensus(steady | {"octave": lambda wave: np.full(50, 200.0)}, [np.zeros(8000)])
    assert found["octave"]["natural"]["octave_error"] == 1
    assert np.isnan(found["100"]["natural"]["octave_error"])  # the others do not agree
    found = f0.compare_with_consensus(steady, [np.zeros(8000)])
    assert found["100"]["natural"]["gross_error"] == 0 and found["100"]["natural"]["rmse_cents"] < 60
