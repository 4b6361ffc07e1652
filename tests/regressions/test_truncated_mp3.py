"""The MP3 decoder's own warnings about a truncated file appeared among the output of a command."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechvq.audio.waveform import SAMPLE_RATE, audio_seconds, read_audio
from speechvq.runtime.decoder_messages import collected_messages

TONE = 0.1 * np.sin(2 * np.pi * 300 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE)


def write_mp3(path: Path, fraction: float) -> Path:
    soundfile.write(path, TONE, SAMPLE_RATE, format="MP3")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * fraction)])
    return path


def test_a_truncated_mp3_gets_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = write_mp3(tmp_path / "a.mp3", 0.5)
    audio = read_audio(path)
    assert 0.2 < len(audio.samples) / len(TONE) < 0.6
    assert audio_seconds(path) > 0
    assert len(caplog.records) == 1 and f"{path}: damaged or truncated" in caplog.text
    assert "Xing" not in capfd.readouterr().err


def test_a_whole_mp3_gets_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert len(read_audio(write_mp3(tmp_path / "a.mp3", 1.0)).samples) == len(TONE)
    assert not caplog.records


def test_other_output_on_stderr_is_passed_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_mp3(tmp_path / "a.mp3", 1.0)
    with collected_messages(path) as messages:
        os.write(2, b"Warning: of the decoder\nfrom another thread\n")
    assert messages == ["Warning: of the decoder"]
    assert capfd.readouterr().err == "from another thread\n"
