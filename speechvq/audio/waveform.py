"""Reading and writing audio files. In memory all audio of the package is mono, 16 kHz, float32."""

import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from speechvq.audio.amplitude import Correction, SampleStatistics
from speechvq.audio.formats import FORMATS_REMEDY, conversion_remedy
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.io.names import existing
from speechvq.io.reading import PERMISSION_REMEDY
from speechvq.runtime.decoder_messages import collected_messages
from speechvq.runtime.logging import logger

SAMPLE_RATE = 16_000  # Hz; our choice where the paper states none, and the rate of LibriSpeech
TARGET_RMS = 0.06  # about -24 dBFS: our choice, leaves speech headroom below the peak limit
PEAK_LIMIT = 0.999
WRITABLE_SUFFIXES = (".wav", ".flac")  # of files that `write_waveform` writes
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 4_000, 768_000  # Hz, accepted rates of a file
MARGIN_SECONDS = 0.05  # kept on both sides of the speech, so that a soft onset is not cut
SEGMENT_TOLERANCE = 0.025  # seconds that a segment may end after its file, as lhotse tolerates
TRIM_DB = 40.0  # below the loudest frame; see trim_silence
# Energy of the channels' mean, relative to that of channels without correlation: 1 for those, 0 for inverse
# ones. Our choice: 10 dB lower, which no recording reaches unless its channels cancel.
MIN_MEAN_ENERGY = 0.1

_BLOCK_VALUES = 1 << 20  # samples times channels read at once; bounds the memory
_STREAMED_BYTES = 0x7FFF_F000  # a program that writes to a pipe puts this or more into the header as length


class Segment(NamedTuple):
    """A part of an audio file."""

    start: float  # seconds from the beginning of the file
    seconds: float
    channel: int | None = None  # the only one that is read, from 0; None: as for a whole file


class LoadedAudio(NamedTuple):
    """Audio as the package uses it, and the original format of the file."""

    samples: np.ndarray  # (T,), float32, mono at SAMPLE_RATE
    source_rate: int  # Hz
    source_channels: int
    chosen_channel: int | None = None  # the only one that was read, from 0; None: the mean of all
    correction: Correction = Correction()  # of the samples, see `amplitude`

    def change(self) -> str:
        """What reading changed, for example "2 channels at 48000 Hz, down-mixed and resampled to 16000 Hz".

        Empty if the file was mono at 16 kHz already.
        """
        mixing = "down-mixed"
        if self.chosen_channel is not None:
            mixing = f"only channel {self.chosen_channel + 1} read because the channels cancel one another"
        steps = [mixing] * (self.source_channels > 1) + self.correction.describe()
        return describe_change(self.source_rate, self.source_channels, steps)


def describe_change(rate: int, channels: int, steps: Sequence[str] = ()) -> str:
    """Text of `LoadedAudio.change` for a file of `channels` at `rate` Hz.

    Args:
        rate: Hz.
        channels: number of channels.
        steps: what reading changed, except for the rate; with none, several channels are down-mixed.

    Returns:
        Empty for mono at 16 kHz without other steps.
    """
    steps = list(steps) or ["down-mixed"] * (channels > 1)
    steps += [f"resampled to {SAMPLE_RATE} Hz"] * (rate != SAMPLE_RATE)
    listed = ", ".join([*steps[:-2], " and ".join(steps[-2:])])
    return f"{channels} channel{'s' * (channels > 1)} at {rate} Hz, {listed}" if steps else ""


def read_waveform(path: str | Path) -> np.ndarray:
    """Samples of an audio file in any format of soundfile, mono at 16 kHz.

    A file of which only one channel is read, or whose samples exceed all audio formats, is logged; see
    read_audio.

    Returns:
        (T,), float32, T >= 1. Not clipped: a file of floats may exceed 1.

    Raises:
        UserError: see read_audio.
    """
    audio = read_audio(path)
    if audio.chosen_channel is not None or audio.correction.gain != 1:
        logger.warning("%s: %s", path, audio.change())
    return audio.samples


def read_audio(path: str | Path, segment: Segment | None = None) -> LoadedAudio:
    """Like read_waveform, with the original rate and channels, so that a command can report what was changed.

    Several channels are averaged. If that loses the signal, as with inverse channels, the loudest one is read
    alone. A DC offset is removed, and samples far above full scale are scaled down, see `amplitude`. A
    truncated Ogg or MP3 file is read as far as it goes, because those formats do not state their
    length.

    Args:
        path: of the file.
        segment: the part that is read; None for all.

    Raises:
        UserError: the file is missing, no regular file, unreadable, empty, truncated, not audio, without
            samples, without the segment, or holds NaN or infinite samples.
    """
    path = existing(Path(path))
    check_regular_file(path)
    try:
        with collected_messages(path) as messages, soundfile.SoundFile(native_path(path)) as file:
            _check_header(path, file)
            _check_segment(path, file, segment)
            sound = _mono_16k(file, segment)
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"{path}: {PERMISSION_REMEDY}") from error
    except (
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        MemoryError,
    ) as error:  # LibsndfileError is a RuntimeError
        reason = str(error).splitlines()[0].rpartition(": ")[2].rstrip(".") if str(error) else "out of memory"
        raise UserError(
            f"{path}: not a readable audio file ({reason}); " + (conversion_remedy(path) or FORMATS_REMEDY)
        ) from error
    if messages:
        logger.warning("%s: damaged or truncated; read as far as it goes (%s)", path, messages[0])
    if not len(sound.samples):
        raise UserError(f"{path}: has no samples; record it again or leave it out")
    if not np.isfinite(sound.samples).all():
        raise UserError(f"{path}: holds NaN or infinite samples; export it again or leave it out")
    return sound


def audio_seconds(path: str | Path) -> float:
    """Duration of a file by its header, without reading the samples; 0 if it cannot be read."""
    try:
        check_regular_file(Path(path))
        with collected_messages(Path(path)):
            return float(soundfile.info(native_path(Path(path))).duration)
    except (UserError, OSError, RuntimeError, TypeError, ValueError):
        return 0.0


def write_waveform(path: str | Path, samples: np.ndarray, *, comment: str = "") -> None:
    """Write 16 kHz 16-bit mono audio as WAV, or as FLAC if the name ends in .flac; atomic, parents are
    created.

    Args:
        path: replaced when it exists.
        samples: (T,), float; clipped to [-1, 1].
        comment: stored in the header of the file.

    Raises:
        UserError: the disk is full, the folder cannot be written, or the name ends neither in .wav nor in
            .flac.
        ValueError: samples are not one-dimensional or not finite.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UserError(f"{path}: only .wav and .flac are written; name it {path.stem}.wav")
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError(f"samples must be finite and of shape (T,), got shape {samples.shape}")
    # Encoded in memory, so that Python does the writing: its errors distinguish a full disk from a broken
    # file.
    encoded = io.BytesIO()
    clipped = np.clip(samples, -1.0, 1.0)
    form = path.suffix[1:].upper()
    with soundfile.SoundFile(encoded, "w", SAMPLE_RATE, 1, format=form, subtype="PCM_16") as file:
        if comment:
            file.comment = comment
        file.write(clipped)
    write_bytes(path, encoded.getbuffer())


def root_mean_square(samples: np.ndarray) -> float:
    """RMS of samples (T,); 0 if there are none."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def normalize_level(samples: np.ndarray, level: float = TARGET_RMS) -> np.ndarray:
    """Scale to an RMS of `level`, or lower if the peak would exceed 0.999; silence is returned unchanged.

    Args:
        samples: (T,), float.

    Returns:
        (T,), of the same type.
    """
    peak, rms = float(np.abs(samples).max(initial=0.0)), root_mean_square(samples)
    if rms == 0.0:
        return samples
    return (samples * min(level / rms, PEAK_LIMIT / peak)).astype(samples.dtype)


def resample(samples: np.ndarray, rate: int) -> np.ndarray:
    """Resample to 16 kHz with the filter of `read_audio`: (T,), float32, at `rate` Hz to (T',), float32."""
    return np.concatenate([np.empty(0, np.float32), *_resampled(iter([samples]), rate)])


def trim_silence(samples: np.ndarray, top_db: float = TRIM_DB) -> tuple[np.ndarray, int]:
    """Cut the silence at both ends, except for a margin of 50 ms.

    40 dB is our choice: 20 or 30 dB also cut the soft first and last phones of read speech.

    Args:
        samples: (T,), float32.
        top_db: frames this far below the loudest one are silence.

    Returns:
        The rest, shape (T',), and the number of samples cut before it. A silent waveform is returned whole.
    """
    from librosa.effects import trim  # takes seconds to import

    if not samples.any():
        return samples, 0
    _, (start, end) = trim(samples, top_db=top_db)
    margin = round(MARGIN_SECONDS * SAMPLE_RATE)
    first, last = max(0, int(start) - margin), min(len(samples), int(end) + margin)
    return samples[first:last], first


def native_path(path: Path) -> str | bytes:
    """A path for soundfile, which takes "-" for standard input and refuses text that is not UTF-8."""
    absolute = path.absolute()
    return str(absolute) if os.name == "nt" else os.fsencode(absolute)


def check_regular_file(path: Path) -> None:
    """Refuse what cannot be an audio file, without opening it.

    Raises:
        UserError: the file is missing, no regular file, not readable for the user, or empty.
    """
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path}: a broken link to {os.readlink(path)}; mend or remove it")
    if not path.exists():
        raise UserError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise UserError(f"{path}: a folder, not an audio file; give a file in it")
    if not path.is_file():
        raise UserError(f"{path}: a pipe or device, not a file; save the audio to a file first")
    if not os.access(path, os.R_OK):
        raise UserError(f"{path}: {PERMISSION_REMEDY}")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: empty, 0 bytes; copy or record it again")


def _check_header(path: Path, file: soundfile.SoundFile) -> None:
    """Refuse a damaged rate, which could demand any amount of memory, and a truncated WAV file."""
    if not MIN_SAMPLE_RATE <= file.samplerate <= MAX_SAMPLE_RATE:
        raise UserError(
            f"{path}: {file.samplerate} samples per second, not audio; export it again or leave it out"
        )
    # Only the log of libsndfile tells that a WAV file is truncated.
    found = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if found and int(found[2]) < int(found[1]) < _STREAMED_BYTES:
        raise UserError(f"{path}: truncated after {found[2]} of {found[1]} bytes; copy it again")


def _check_segment(path: Path, file: soundfile.SoundFile, segment: Segment | None) -> None:
    """Refuse a segment that is not in the file."""
    if segment is None:
        return
    end, seconds = segment.start + segment.seconds, file.frames / file.samplerate
    if segment.start < 0 or segment.seconds <= 0 or not end <= seconds + SEGMENT_TOLERANCE:
        raise UserError(
            f"{path}: has {seconds:.2f} s, so not the part from {segment.start:.2f} to {end:.2f} s; compare "
            "it with the manifest"
        )
    if segment.channel is not None and not 0 <= segment.channel < file.channels:
        raise UserError(f"{path}: has {file.channels} channels, so no channel {segment.channel + 1}")


def _mono_16k(file: soundfile.SoundFile, segment: Segment | None = None) -> LoadedAudio:
    """All samples, resampled block by block; they are read twice if they need a correction."""
    of_mean, channels = SampleStatistics(), file.channels
    if segment is not None and segment.channel is not None:
        channels = 1
    of_channels = [of_mean] if channels == 1 else [SampleStatistics() for _ in range(channels)]
    with np.errstate(over="ignore", invalid="ignore"):  # read_audio refuses samples that are not finite
        samples = _at_16k(_mean_blocks(_blocks(file, segment), of_mean, of_channels), file.samplerate)
        channel = _audible_channel(of_mean, of_channels)
        statistics = of_mean if channel is None else of_channels[channel]
        statistics.peak = max(each.peak for each in of_channels)
        correction = statistics.correction(file.samplerate)
        if channel is not None or correction:
            file.seek(0)
            blocks = _corrected_blocks(_blocks(file, segment), channel, correction)
            samples = _at_16k(blocks, file.samplerate)
    return LoadedAudio(samples, file.samplerate, channels, channel, correction)


def _audible_channel(of_mean: SampleStatistics, of_channels: Sequence[SampleStatistics]) -> int | None:
    """The loudest channel if the mean of all loses the signal, else None."""
    energies = [each.variance for each in of_channels]
    if len(energies) == 1 or not of_mean.variance < MIN_MEAN_ENERGY * sum(energies) / len(energies) ** 2:
        return None
    return int(np.argmax(energies))


def _at_16k(blocks: Iterator[np.ndarray], rate: int) -> np.ndarray:
    """Blocks (T,) each at `rate` Hz, as one array at 16 kHz."""
    return np.concatenate(
        [np.empty(0, np.float32), *(blocks if rate == SAMPLE_RATE else _resampled(blocks, rate))]
    )


def _mean_blocks(
    blocks: Iterator[np.ndarray], of_mean: SampleStatistics, of_channels: Sequence[SampleStatistics]
) -> Iterator[np.ndarray]:
    """Means of the channels, (T,) each; adds up the statistics of the mean and of each channel."""
    for block in blocks:
        for samples, statistics in zip(block.T, of_channels):
            statistics.add(samples)
        if len(of_channels) == 1:
            yield block[:, 0]
            continue
        of_mean.add(block.mean(axis=1, dtype=np.float64))  # may overflow float32
        yield block.mean(axis=1)


def _corrected_blocks(
    blocks: Iterator[np.ndarray], channel: int | None, correction: Correction
) -> Iterator[np.ndarray]:
    """One channel, or the mean of all, after correction; (T,), float32."""
    for block in blocks:
        yield correction.apply(block.mean(axis=1, dtype=np.float64) if channel is None else block[:, channel])


def _blocks(file: soundfile.SoundFile, segment: Segment | None = None) -> Iterator[np.ndarray]:
    """Blocks of samples (T, channels), float32, of a file from where it stands, or of a segment."""
    frames, left, channels = max(1, _BLOCK_VALUES // file.channels), None, slice(None)
    if segment is not None:
        file.seek(round(segment.start * file.samplerate))
        left = round(segment.seconds * file.samplerate)
        if segment.channel is not None:
            channels = slice(segment.channel, segment.channel + 1)
    while len(block := _read_frames(file, frames if left is None else min(frames, left))):
        yield block[:, channels]
        left = None if left is None else left - len(block)


def _read_frames(file: soundfile.SoundFile, frames: int) -> np.ndarray:
    return file.read(frames, dtype="float32", always_2d=True)


def _resampled(blocks: Iterator[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    from soxr import ResampleStream

    stream = ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)
