"""Sound files in and out: mono, 16 kHz, float32 in memory, and nothing else anywhere in the package."""

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes

SAMPLE_RATE = 16_000  # Hz; our choice where the paper is silent, and the rate of LibriSpeech
TARGET_RMS = 0.06  # target RMS, about -24 dBFS: our choice, leaves speech room below the peak limit
PEAK_LIMIT = 0.999
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 4_000, 768_000  # Hz, rates of a file that can be speech
MARGIN_SECONDS = 0.05  # kept on either side of the speech, so that a soft onset is not cut
TRIM_DB = 40.0  # below the loudest frame; see trim_silence

_BLOCK_VALUES = 1 << 20  # samples times channels read at once; bounds the memory of an hour of six channels
_STREAMED_BYTES = 0x7FFF_F000  # a pipe does not know its length and puts this or more into the header


class LoadedAudio(NamedTuple):
    """A sound as the package uses it, and what the file held before."""

    samples: np.ndarray  # (T,), float32, mono at SAMPLE_RATE
    source_rate: int  # Hz
    source_channels: int

    def change(self) -> str:
        """What reading changed, for example "2 channels at 48000 Hz, down-mixed and resampled to 16000 Hz".

        Empty where the file was mono at 16 kHz already.
        """
        return describe_change(self.source_rate, self.source_channels)


def describe_change(rate: int, channels: int) -> str:
    """The words of `Sound.change` for a file of `channels` at `rate` Hz; empty for mono at 16 kHz."""
    steps = ["down-mixed"] * (channels > 1) + [f"resampled to {SAMPLE_RATE} Hz"] * (rate != SAMPLE_RATE)
    plural = "s" if channels > 1 else ""
    return f"{channels} channel{plural} at {rate} Hz, {' and '.join(steps)}" if steps else ""


def read_waveform(path: str | Path) -> np.ndarray:
    """The samples of any sound file soundfile knows, mono at 16 kHz.

    Returns:
        (T,), float32, T >= 1; not clipped, a float file may exceed 1.

    Raises:
        UserError: see read_sound.
    """
    return read_audio(path).samples


def read_audio(path: str | Path) -> LoadedAudio:
    """Like read_waveform, with the rate and channels the file had, for a command to say what was changed.

    An Ogg or MP3 file that was cut off is read as far as it goes, because those formats do not say how long
    they are.

    Raises:
        UserError: the file is missing, no regular file, unreadable, empty, cut off, not a sound, without
            samples, or holds NaN or infinite samples.
    """
    path = Path(path)
    _check_regular_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            _check_header(path, file)
            sound = LoadedAudio(_mono_16k(file), file.samplerate, file.channels)
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"{path}: no permission to read it; change its mode or owner") from error
    except (
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        MemoryError,
    ) as error:  # LibsndfileError is a RuntimeError
        reason = str(error).splitlines()[0].rpartition(": ")[2].rstrip(".") if str(error) else "out of memory"
        raise UserError(
            f"{path}: not a readable sound ({reason}); give WAV, FLAC, Ogg, Opus or MP3"
        ) from error
    if not len(sound.samples):
        raise UserError(f"{path}: has no samples; record it again or leave it out")
    if not np.isfinite(sound.samples).all():
        raise UserError(f"{path}: holds NaN or infinite samples; export it again or leave it out")
    return sound


def audio_seconds(path: str | Path) -> float:
    """How long a file says it is, without reading it; 0 for one that cannot be read."""
    try:
        _check_regular_file(Path(path))
        return float(soundfile.info(path).duration)
    except (UserError, OSError, RuntimeError, TypeError, ValueError):
        return 0.0


def write_waveform(path: str | Path, samples: np.ndarray) -> None:
    """Write 16 kHz 16-bit mono sound, WAV or, where the name ends so, FLAC; atomic, parents are made.

    Args:
        path: replaced when it exists.
        samples: (T,), float; clipped to [-1, 1].

    Raises:
        UserError: the disk is full, the folder cannot be written, or the name ends neither in .wav nor in
            .flac.
        ValueError: samples are not one-dimensional or not finite.
    """
    path = Path(path)
    if path.suffix.lower() not in (".wav", ".flac"):
        raise UserError(f"{path}: only .wav and .flac are written; name it {path.stem}.wav")
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError(f"samples must be finite and of shape (T,), got shape {samples.shape}")
    # Encoding in memory leaves the writing to Python, whose errors tell a full disk from a broken file.
    encoded = io.BytesIO()
    clipped = np.clip(samples, -1.0, 1.0)
    soundfile.write(encoded, clipped, SAMPLE_RATE, format=path.suffix[1:].upper(), subtype="PCM_16")
    write_bytes(path, encoded.getbuffer())


def normalize_level(samples: np.ndarray, level: float = TARGET_RMS) -> np.ndarray:
    """Scale to an RMS of `level`, or less where the peak would pass 0.999; silence is returned unchanged.

    Args:
        samples: (T,), float.

    Returns:
        (T,), of the same type.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    if rms == 0.0:
        return samples
    return (samples * min(level / rms, PEAK_LIMIT / peak)).astype(samples.dtype)


def trim_silence(samples: np.ndarray, top_db: float = TRIM_DB) -> tuple[np.ndarray, int]:
    """Cut the silence at both ends, but for a margin of 50 ms.

    40 dB is our choice: at 20 or 30 dB the soft first and last phones of read speech go too.

    Args:
        samples: (T,), float32.
        top_db: what lies this far below the loudest frame is silence.

    Returns:
        (what is left, shape (T',); how many samples were cut before it). All silence comes back whole.
    """
    from librosa.effects import trim  # seconds to import

    if not samples.any():
        return samples, 0
    _, (start, end) = trim(samples, top_db=top_db)
    margin = round(MARGIN_SECONDS * SAMPLE_RATE)
    first, last = max(0, int(start) - margin), min(len(samples), int(end) + margin)
    return samples[first:last], first


def _check_regular_file(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path}: a broken link to {os.readlink(path)}; mend or remove it")
    if not path.exists():
        raise UserError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise UserError(f"{path}: a folder, not a sound; give a file in it")
    if not path.is_file():
        raise UserError(f"{path}: a pipe or device, not a file; save the sound to a file first")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: no permission to read it; change its mode or owner")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: empty, 0 bytes; copy or record it again")


def _check_header(path: Path, file: soundfile.SoundFile) -> None:
    """A damaged rate could ask for any memory; of a WAV that was cut off only libsndfile's log tells."""
    if not MIN_SAMPLE_RATE <= file.samplerate <= MAX_SAMPLE_RATE:
        raise UserError(
            f"{path}: {file.samplerate} samples a second, not sound; export it again or leave it out"
        )
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if found and int(found[2]) < int(found[1]) < _STREAMED_BYTES:
        raise UserError(f"{path}: cut off after {found[2]} of {found[1]} bytes; copy it again")


def _mono_16k(file: soundfile.SoundFile) -> np.ndarray:
    """All samples (T,), down-mixed and resampled block by block."""
    blocks = _mono_blocks(file)
    if file.samplerate != SAMPLE_RATE:
        blocks = _resampled(blocks, file.samplerate)
    return np.concatenate([np.empty(0, np.float32), *blocks])


def _mono_blocks(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    frames = max(1, _BLOCK_VALUES // file.channels)
    while len(block := file.read(frames, dtype="float32", always_2d=True)):
        with np.errstate(over="ignore", invalid="ignore"):  # read_sound refuses what is not finite
            yield block.mean(axis=1) if file.channels > 1 else block[:, 0]


def _resampled(blocks: Iterator[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    from soxr import ResampleStream

    stream = ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
