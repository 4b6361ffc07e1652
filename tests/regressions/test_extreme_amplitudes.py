"""Samples of 1e20 to 3e38, denormal ones and a single loud one led to NaN and library warnings."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import save_tiny_model, write_samples
from helpers.tiny import speech_model
from speechvq import encode
from speechvq.audio.f0 import track_f0
from speechvq.audio.linear_prediction import polarity
from speechvq.audio.mfcc import mfcc
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level, read_audio, read_waveform, trim_silence
from speechvq.data.corpora.recording import Recording
from speechvq.data.preprocessing import preprocess_recording

NOISE = (0.1 * np.random.default_rng(0).standard_normal(6_000)).astype(np.float32)
NOISE -= NOISE.mean()
CLICK = np.where(np.arange(len(NOISE)) == 3_000, np.float32(1e20), NOISE)
LOUD = {
    "1e20": NOISE * np.float32(1e20),
    "3e38": NOISE / np.abs(NOISE).max() * np.float32(3e38),
    "one loud sample": CLICK,
}
QUIET = {"denormal": NOISE * np.float32(1e-39), "1e-30": NOISE * np.float32(1e-30)}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [SAMPLE_RATE, 2 * SAMPLE_RATE])
@pytest.mark.parametrize("name", [*LOUD, *QUIET])
def test_reading_bounds_the_amplitude(name: str, rate: int, channels: int, tmp_path: Path) -> None:
    wave = (LOUD | QUIET)[name]
    path = write_samples(tmp_path / "a.wav", np.repeat(wave[:, None], channels, axis=1), rate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        audio = read_audio(path)
        peak = np.abs(audio.samples).max()
        assert 0.3 < peak < 1.5 if name in LOUD else peak == 0
        assert ("scaled down to full scale" in audio.change()) == (name in LOUD)
        for analyze in (normalize_level, trim_silence, track_f0, polarity, lambda wave: mfcc(wave, 50)):
            analyze(audio.samples)
    if name != "one loud sample" and rate == SAMPLE_RATE and name in LOUD:
        np.testing.assert_allclose(audio.samples, NOISE / np.abs(NOISE).max(), atol=1e-6)


def test_integers_stored_as_floats_are_scaled_and_headroom_is_kept(tmp_path: Path) -> None:
    audio = read_audio(write_samples(tmp_path / "a.wav", np.round(NOISE * 32_768)))
    assert "scaled down to full scale" in audio.change() and np.abs(audio.samples).max() <= 1
    wave = 5 * NOISE / np.abs(NOISE).max()
    assert np.array_equal(read_waveform(write_samples(tmp_path / "b.wav", wave)), wave)


@pytest.mark.parametrize("name", [*LOUD, *QUIET])
def test_encoding_and_preparation_print_no_warning_of_a_library(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_samples(tmp_path / "in/a.wav", (LOUD | QUIET)[name])
    model = save_tiny_model(tmp_path / "run")
    assert encode.main([f"--src={path}", f"--out={tmp_path / 'codes'}", f"--model={model}"]) == 0
    preprocess_recording(Recording("a", "ann", path), tmp_path / "out")
    assert "warning" not in capfd.readouterr().err.lower()


@pytest.mark.parametrize("name", [*LOUD, *QUIET])
def test_the_python_interface_takes_extreme_amplitudes(name: str) -> None:
    model, wave = speech_model(), (LOUD | QUIET)[name]
    assert len(model.encode(wave)) and np.isfinite(model.features(wave)).all()
    assert np.isfinite(model.convert(wave[2_800:3_200], "ada")).all()
