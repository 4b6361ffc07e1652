"""The mean of stereo channels x and -x is silence: `convert` wrote zeros, and `prepare` blamed the file."""

from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import write_samples
from speechvq.audio import waveform
from speechvq.audio.waveform import SAMPLE_RATE, read_audio, read_waveform
from speechvq.cli.sources import find_sources, read_sources

X = (0.1 * np.random.default_rng(0).standard_normal(5_000)).astype(np.float32)
QUIET = (0.3 * X[::-1]).astype(np.float32)  # without correlation to X


@pytest.mark.parametrize(
    ("channels", "chosen"),
    [
        ((X, -X), 0),
        ((0.9 * X, -X), 1),
        ((X, -X, 0 * X, 0 * X), 0),
        ((X, X), None),
        ((X, 0 * X), None),
        ((X, QUIET), None),
        ((X, -0.5 * X), None),
        ((0 * X, 0 * X), None),
        ((X, *[0 * X] * 7), None),
    ],
)
def test_one_channel_is_read_only_if_the_mean_loses_the_signal(
    channels: tuple[np.ndarray, ...], chosen: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waveform, "_BLOCK_VALUES", 999)  # several blocks
    path = write_samples(tmp_path / "a.wav", np.stack(channels, axis=1))
    audio = read_audio(path)
    expected = np.stack(channels, axis=1).mean(axis=1) if chosen is None else channels[chosen]
    assert audio.chosen_channel == chosen and np.array_equal(audio.samples, expected)


def test_inverse_channels_are_resampled_like_a_mono_file(tmp_path: Path) -> None:
    stereo = write_samples(tmp_path / "a.wav", np.stack([X, -X], axis=1), 3 * SAMPLE_RATE)
    mono = write_samples(tmp_path / "b.wav", X, 3 * SAMPLE_RATE)
    assert np.array_equal(read_waveform(stereo), read_waveform(mono))


def test_inverse_channels_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_samples(tmp_path / "a.wav", np.stack([X, -X], axis=1))
    line = "a.wav: 2 channels at 16000 Hz, only channel 1 read because the channels cancel one another"
    caplog.set_level("INFO", "speechvq")
    read_waveform(path)
    assert line in caplog.text
    caplog.clear()
    list(read_sources(find_sources(path)))
    assert line in caplog.text
