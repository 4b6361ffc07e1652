"""A DC offset of 0.1 changed 62 % of the codes, made a conversion 10.8 dB too loud and kept all silence."""

from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import write_samples
from helpers.tiny import speech_model
from speechvq.audio import waveform
from speechvq.audio.amplitude import MIN_OFFSET
from speechvq.audio.waveform import SAMPLE_RATE, read_audio, read_waveform, trim_silence

OFFSET = 0.1
TIME = np.arange(SAMPLE_RATE) / SAMPLE_RATE
SPEECH = 0.05 * np.sin(2 * np.pi * 200 * TIME) * ((TIME >= 0.4) & (TIME < 0.6))  # whole periods
SPEECH = SPEECH.astype(np.float32)


@pytest.mark.parametrize("rate", [SAMPLE_RATE, 3 * SAMPLE_RATE])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_offset_does_not_change_a_recording(
    rate: int, channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waveform, "_BLOCK_VALUES", 9_999)  # several blocks
    wave = np.repeat(np.repeat(SPEECH, rate // SAMPLE_RATE)[:, None], channels, axis=1)
    clean = read_audio(write_samples(tmp_path / "clean.wav", wave, rate))
    shifted = read_audio(write_samples(tmp_path / "shifted.wav", wave + OFFSET, rate))
    np.testing.assert_allclose(shifted.samples, clean.samples, atol=1e-6)
    assert "DC offset removed" in shifted.change() and "offset" not in clean.change()
    assert len(trim_silence(shifted.samples)[0]) == len(trim_silence(clean.samples)[0]) < len(SPEECH) / 2


def test_a_recording_without_an_audible_offset_keeps_its_samples_to_the_bit(tmp_path: Path) -> None:
    rms = float(np.sqrt(np.mean(SPEECH**2)))
    for offset in (0.0, 0.9 * MIN_OFFSET * rms):
        wave = (SPEECH + offset).astype(np.float32)
        assert np.array_equal(read_waveform(write_samples(tmp_path / "a.wav", wave)), wave)


def test_offsets_do_not_hide_that_channels_cancel_one_another(tmp_path: Path) -> None:
    stereo = np.stack([SPEECH + OFFSET, OFFSET - SPEECH], axis=1)
    audio = read_audio(write_samples(tmp_path / "a.wav", stereo))
    assert audio.chosen_channel is not None
    np.testing.assert_allclose(np.abs(audio.samples), np.abs(SPEECH), atol=1e-6)


def test_the_python_interface_ignores_an_offset() -> None:
    model = speech_model()
    wave = 0.05 * np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
    wave -= wave.mean()
    assert np.array_equal(model.encode(wave + np.float32(OFFSET)), model.encode(wave))
    cut, shifted = wave[:4_000], wave[:4_000] + np.float32(OFFSET)
    levels = [np.sqrt(np.mean(model.convert(each, "ada", seed=1) ** 2)) for each in (cut, shifted)]
    assert levels[1] == pytest.approx(levels[0], rel=0.05)
