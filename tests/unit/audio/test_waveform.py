"""Reading and writing audio: invalid files give one line, valid files become mono at 16 kHz."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechvq.audio.waveform import (
    SAMPLE_RATE,
    TARGET_RMS,
    normalize_level,
    read_audio,
    read_waveform,
    trim_silence,
    write_waveform,
)
from speechvq.errors import UserError


def tone(seconds: float = 0.5, rate: int = SAMPLE_RATE, hertz: float = 440.0) -> np.ndarray:
    """A sine of amplitude 0.3, (T,), float32."""
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def spectral_peak(samples: np.ndarray) -> float:
    """Frequency of the largest spectral magnitude, Hz."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * SAMPLE_RATE / len(samples))


def write_truncated(path: Path, suffix: str, fraction: float) -> None:
    whole = path.with_name(f"whole{suffix}")
    soundfile.write(whole, tone(), SAMPLE_RATE)
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * fraction)])


INVALID_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.wav": (lambda path: None, "no such file"),
    "folder.wav": (Path.mkdir, "a folder"),
    "link.wav": (lambda path: path.symlink_to("nowhere.wav"), "a broken link to nowhere.wav"),
    "pipe.wav": (os.mkfifo, "a pipe or device"),
    "empty.wav": (Path.touch, "empty, 0 bytes"),
    "header.wav": (lambda path: soundfile.write(path, np.empty(0), SAMPLE_RATE), "no samples"),
    "header.flac": (lambda path: write_truncated(path, ".flac", 0.01), "not a readable audio file"),
    "cut.wav": (lambda path: write_truncated(path, ".wav", 0.5), "truncated after"),
    "cut.flac": (lambda path: write_truncated(path, ".flac", 0.5), "not a readable audio file"),
    "text.wav": (lambda path: path.write_text("not audio\n" * 99), "not a readable audio file"),
    "text.flac": (lambda path: path.write_text("not audio\n" * 99), "not a readable audio file"),
    "headerless.raw": (lambda path: path.write_bytes(bytes(999)), "not a readable audio file"),
    "slow.wav": (lambda path: soundfile.write(path, tone(), 1), "1 samples per second"),
    "nan.wav": (lambda path: write_float(path, np.nan), "NaN or infinite"),
    "infinite.wav": (lambda path: write_float(path, -np.inf), "NaN or infinite"),
}


def write_float(path: Path, value: float, rate: int = SAMPLE_RATE) -> None:
    samples = tone()
    samples[len(samples) // 2] = value
    soundfile.write(path, samples, rate, subtype="FLOAT")


@pytest.mark.parametrize("name", INVALID_FILES)
def test_an_invalid_file_gives_one_line_with_file_and_remedy(tmp_path: Path, name: str) -> None:
    make, reason = INVALID_FILES[name]
    make(tmp_path / name)
    with pytest.raises(UserError) as caught:
        read_waveform(tmp_path / name)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / name}: ") and reason in message
    assert "\n" not in message and "; " in message


def test_nonfinite_samples_are_refused_before_resampling(tmp_path: Path) -> None:
    write_float(tmp_path / "nan.wav", np.nan, rate=44_100)
    with pytest.raises(UserError, match="NaN or infinite"):
        read_waveform(tmp_path / "nan.wav")


def test_a_file_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.wav"
    write_waveform(path, tone())
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may read all files
    with pytest.raises(UserError, match="no permission"):
        read_waveform(path)


@pytest.mark.parametrize("name", ["a b.wav", "ünïcode 声.flac", "wrong-extension.txt"])
def test_any_file_name_is_read(tmp_path: Path, name: str) -> None:
    write_waveform(tmp_path / "plain.wav", tone())
    os.replace(tmp_path / "plain.wav", tmp_path / name)
    assert len(read_waveform(tmp_path / name)) == len(tone())


@pytest.mark.parametrize("samples", [np.zeros(1000), np.full(1, 0.25)], ids=["silence", "one sample"])
def test_silence_and_one_sample_are_valid(tmp_path: Path, samples: np.ndarray) -> None:
    write_waveform(tmp_path / "a.wav", samples)
    np.testing.assert_allclose(read_waveform(tmp_path / "a.wav"), samples, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channels_keep_frequency_and_duration(tmp_path: Path, rate: int, channels: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(tone(rate=rate)[:, None], channels), rate)
    audio = read_audio(tmp_path / "a.wav")
    assert audio.samples.dtype == np.float32 and audio.samples.shape == (SAMPLE_RATE // 2,)
    assert spectral_peak(audio.samples) == pytest.approx(440, abs=2)
    assert (audio.source_rate, audio.source_channels) == (rate, channels)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_all_sample_formats_are_read(tmp_path: Path, subtype: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(), SAMPLE_RATE, subtype=subtype)
    np.testing.assert_allclose(read_waveform(tmp_path / "a.wav"), tone(), atol=0.01)


def test_reading_in_blocks_equals_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack([tone(rate=48_000), tone(rate=48_000)], axis=1), 48_000)
    whole = read_waveform(tmp_path / "a.wav")
    monkeypatch.setattr("speechvq.audio.waveform._BLOCK_VALUES", 514)
    np.testing.assert_allclose(read_waveform(tmp_path / "a.wav"), whole, atol=1e-6)


def test_a_stream_of_unknown_length_is_not_reported_as_truncated(tmp_path: Path) -> None:
    write_waveform(tmp_path / "a.wav", tone())
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(content)
    assert len(read_waveform(tmp_path / "a.wav")) == len(tone())


@pytest.mark.parametrize(
    ("rate", "channels", "description"),
    [
        (16_000, 1, ""),
        (16_000, 2, "2 channels at 16000 Hz, down-mixed"),
        (48_000, 1, "1 channel at 48000 Hz, resampled to 16000 Hz"),
        (48_000, 2, "2 channels at 48000 Hz, down-mixed and resampled to 16000 Hz"),
    ],
)
def test_changes_on_reading_are_described(tmp_path: Path, rate: int, channels: int, description: str) -> None:
    soundfile.write(tmp_path / "a.wav", np.tile(tone(rate=rate)[:, None], channels), rate)
    assert read_audio(tmp_path / "a.wav").change() == description


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_written_audio_is_16_bit_mono_and_clipped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"a{suffix}"
    write_waveform(path, np.array([-2.0, -0.5, 0.0, 0.5, 2.0]))
    info = soundfile.info(path)
    assert (info.subtype, info.channels, info.samplerate) == ("PCM_16", 1, SAMPLE_RATE)
    np.testing.assert_allclose(read_waveform(path), [-1, -0.5, 0, 0.5, 1], atol=1e-4)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    write_waveform(path, tone())
    before = path.read_bytes()

    def refuse(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(UserError, match=r"a\.wav: cannot be written \(No space left on device\)"):
        write_waveform(path, tone(0.1))
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_unwritable_paths_are_user_errors(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "a.wav", tmp_path / "a.mp3"):
        with pytest.raises(UserError, match=r"a\.(wav|mp3)"):
            write_waveform(path, tone())


@pytest.mark.parametrize("samples", [np.zeros((2, 3)), np.array([np.nan])])
def test_only_finite_mono_waveforms_are_written(tmp_path: Path, samples: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"finite and of shape \(T,\)"):
        write_waveform(tmp_path / "a.wav", samples)


@pytest.mark.parametrize("gain", [1e-3, 1.0, 1e3])
def test_normalization_reaches_the_target_level(gain: float) -> None:
    normalized = normalize_level(gain * tone())
    assert (
        np.sqrt(np.mean(normalized**2)) == pytest.approx(TARGET_RMS, rel=1e-4)
        and normalized.dtype == np.float32
    )


def test_the_peak_limits_the_normalized_level() -> None:
    click = np.zeros(16_000, np.float32)
    click[100] = 0.5
    assert np.abs(normalize_level(click)).max() == pytest.approx(0.999)


@pytest.mark.parametrize("samples", [np.zeros(100, np.float32), np.zeros(0, np.float32)])
def test_silence_keeps_its_level_and_length(samples: np.ndarray) -> None:
    assert normalize_level(samples) is samples
    assert trim_silence(samples) == (samples, 0)


def test_trimming_leaves_the_speech_with_a_margin() -> None:
    silence = np.zeros(SAMPLE_RATE, np.float32)
    trimmed, offset = trim_silence(np.concatenate([silence, tone(), silence]))
    assert 0.8 * SAMPLE_RATE < offset < 0.96 * SAMPLE_RATE
    assert 0.55 * SAMPLE_RATE < len(trimmed) < 0.9 * SAMPLE_RATE
    assert np.abs(trimmed).sum() == pytest.approx(np.abs(tone()).sum(), rel=1e-4)  # the speech is complete


def test_trimming_keeps_one_sample() -> None:
    trimmed, offset = trim_silence(np.full(1, 0.5, np.float32))
    assert len(trimmed) == 1 and offset == 0
