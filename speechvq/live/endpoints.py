"""Where live samples come from and go to, apart from sound devices: raw pipes and files."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from speechvq.audio.waveform import native_path, read_waveform
from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file

PIPE = "-"  # as an input or output: raw 16-bit mono
BYTES = 2  # of a raw sample
FULL_SCALE = 32768


class Input(Protocol):
    """Gives blocks of samples.

    Attributes:
        rate: Hz.
        latency: of a device, as the system states it, seconds.
        lost: blocks that could not be taken in time.
    """

    rate: int
    latency: float
    lost: int

    def read(self) -> np.ndarray | None:
        """The next block (n,), float32; None at the end."""


class Output(Protocol):
    """Takes samples.

    Attributes:
        rate: Hz.
        latency: of a device, as the system states it, seconds.
        lost: times that a device had nothing to play, or that samples had to be left out.
    """

    rate: int
    latency: float
    lost: int

    @property
    def buffered(self) -> float:
        """Seconds that a sample waits in front of a device."""

    def write(self, samples: np.ndarray) -> bool:
        """Take samples (n,), float32; False if nobody takes them any more."""

    def finish(self) -> None:
        """Wait until all samples have been played or written."""


class RawInput:
    """Raw 16-bit little-endian mono samples from a file descriptor."""

    latency, lost = 0.0, 0

    def __init__(self, descriptor: int, rate: int, block: int) -> None:
        """
        Args:
            descriptor: to read from.
            rate: Hz.
            block: samples of a block.
        """
        self.rate, self._descriptor, self._size = rate, descriptor, BYTES * block

    def read(self) -> np.ndarray | None:
        """The next block; the last one may be shorter, and half a sample at the end is dropped."""
        parts, missing = [], self._size
        while missing and (part := os.read(self._descriptor, missing)):
            parts.append(part)
            missing -= len(part)
        content = b"".join(parts)
        samples = np.frombuffer(content[: len(content) // BYTES * BYTES], "<i2")
        return samples.astype(np.float32) / FULL_SCALE if len(samples) else None


class RawOutput:
    """Raw 16-bit little-endian mono samples to a file descriptor."""

    latency, buffered, lost = 0.0, 0.0, 0

    def __init__(self, descriptor: int, rate: int) -> None:
        """
        Args:
            descriptor: to write to.
            rate: Hz.
        """
        self.rate, self._descriptor = rate, descriptor

    def write(self, samples: np.ndarray) -> bool:
        """False if the reader of the pipe is gone."""
        content = memoryview((samples.clip(-1, 1) * (FULL_SCALE - 1)).round().astype("<i2").tobytes())
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
        except BrokenPipeError:
            return False
        return True

    def finish(self) -> None:
        """Nothing: all is written."""


class FileInput:
    """An audio file in blocks, on request or at the pace of a microphone."""

    latency = 0.0

    def __init__(self, path: Path, rate: int, block: int, *, paced: bool) -> None:
        """
        Args:
            path: of the file.
            rate: Hz, of the samples that `read` returns; `read_waveform` resamples to it.
            block: samples of a block.
            paced: give a block when a microphone would have recorded it. `lost` counts the blocks that were
                taken more than a block too late.

        Raises:
            UserError: see `read_waveform`.
        """
        self.rate, self.lost, self._block, self._paced = rate, 0, block, paced
        self._wave, self._given = read_waveform(path), 0
        self._begun = 0.0

    def read(self) -> np.ndarray | None:
        """The next block; the last one may be shorter."""
        samples = self._wave[self._given : self._given + self._block]
        if not len(samples):
            return None
        self._begun = self._begun or time.monotonic()
        self._given += len(samples)
        if self._paced:
            wait = self._begun + self._given / self.rate - time.monotonic()
            self.lost += wait < -self._block / self.rate
            time.sleep(max(wait, 0.0))
        return samples


class FileOutput:
    """A WAV or FLAC file, 16 bits."""

    latency, buffered, lost = 0.0, 0.0, 0

    def __init__(self, file: soundfile.SoundFile) -> None:
        """
        Args:
            file: open for writing.
        """
        self.rate, self._file = int(file.samplerate), file

    def write(self, samples: np.ndarray) -> bool:
        """True."""
        self._file.write(samples.clip(-1, 1))
        return True

    def finish(self) -> None:
        """Nothing: the file is closed by its context."""


@contextmanager
def open_file_output(path: Path, rate: int) -> Iterator[FileOutput]:
    """A file that is complete when the block ends, also by Ctrl-C.

    Raises:
        UserError: the disk is full or not writable.
    """
    stopped = None
    with atomic_file(path) as temporary:
        form = path.suffix[1:].upper()
        with soundfile.SoundFile(native_path(temporary), "w", rate, 1, format=form, subtype="PCM_16") as file:
            try:
                yield FileOutput(file)
            except KeyboardInterrupt as stop:  # what was converted until then is kept
                stopped = stop
    if stopped is not None:
        raise stopped


def pipe_descriptor(flag: str, number: int) -> int:
    """The descriptor of stdin or stdout.

    Args:
        flag: named in the message.
        number: 0 or 1.

    Raises:
        UserError: it is a terminal, which neither gives nor takes samples.
    """
    if os.isatty(number):
        name, example = (
            ("stdin", "arecord -f S16_LE -r 16000 -t raw |"),
            ("stdout", "| aplay -f S16_LE -r 16000"),
        )[number]
        raise UserError(f"{flag} -: {name} is a terminal; connect a program, for example {example}")
    sys.stdout.flush()
    return number
