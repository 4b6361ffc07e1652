"""Microphone and loudspeaker through sounddevice (the optional extra "live")."""

import queue
import threading
import time
from collections import deque
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.cli.tables import align
from speechvq.errors import UserError

QUEUED_SECONDS = 1.0  # of input that waits at most; older blocks are dropped
MAX_BUFFERED_BLOCKS = 5  # in front of the loudspeaker; more, after a delay, is left out
SILENT_SECONDS = 3.0  # without a block after which a device is given up


def load_sounddevice() -> ModuleType:
    """The module sounddevice.

    Raises:
        UserError: it or its library PortAudio is not installed.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise UserError(
            "sound devices need the extra live: pip install 'speechvq[live]'; or use files and pipes, "
            "--input FILE or - and --output FILE or -"
        ) from error
    except OSError as error:  # of the wheel for Linux, which does not contain PortAudio
        raise UserError(f"{error}; install it, for example apt-get install libportaudio2") from error
    return sounddevice


def device_table(sd: ModuleType) -> str:
    """Table of the devices: number, name, channels and rate; defaults are marked."""
    defaults = {"in": _default(sd, "input"), "out": _default(sd, "output")}
    rows = [["device", "name", "default", "in", "out", "rate (Hz)"]]
    for number, device in enumerate(sd.query_devices()):
        marks = ", ".join(name for name, default in defaults.items() if default == number)
        channels = [str(device[f"max_{kind}_channels"]) for kind in ("input", "output")]
        rows.append([str(number), device["name"], marks, *channels, f"{device['default_samplerate']:.0f}"])
    return align(rows, left=3) if len(rows) > 1 else "no sound devices"


class _Settings:
    """How a device is opened: at 16 kHz in mono if it can, else at its own rate, in stereo if it must."""

    def __init__(self, sd: ModuleType, kind: str, device: int | str | None) -> None:
        self.kind, self.device = kind, device
        name = "microphone" if kind == "input" else "loudspeaker"
        try:
            info = sd.query_devices(device, kind)
        except (ValueError, sd.PortAudioError) as error:
            what = f"no {name} found" if device is None else f"--{kind} {device}: {_first_line(error)}"
            raise UserError(f"{what}; --list-devices shows the devices, and - is a pipe") from error
        self.label = str(info["name"])
        check = sd.check_input_settings if kind == "input" else sd.check_output_settings
        own, most = int(info["default_samplerate"]), int(info[f"max_{kind}_channels"])
        failure: Exception | None = None
        for channels in (1, 2)[: max(most, 1)]:
            for rate in dict.fromkeys((SAMPLE_RATE, own)):
                try:
                    check(device=device, channels=channels, dtype="float32", samplerate=rate)
                except (ValueError, sd.PortAudioError) as error:
                    failure = error
                    continue
                self.rate, self.channels = rate, channels
                return
        raise UserError(f"--{kind} {self.label}: cannot be opened ({_first_line(failure)}); choose another")

    def options(self, block: int) -> dict[str, Any]:
        return {
            "device": self.device, "channels": self.channels, "samplerate": self.rate,
            "blocksize": block, "dtype": "float32", "latency": "low",
        }  # fmt: skip


class Microphone:
    """Blocks of an input device; see `endpoints.Input`."""

    def __init__(self, sd: ModuleType, device: int | str | None, block_ms: float, stack: ExitStack) -> None:
        """
        Args:
            sd: the module sounddevice.
            device: number or part of the name; None for the default.
            block_ms: duration of a block.
            stack: closes the device.

        Raises:
            UserError: no such device, or it cannot be opened.
        """
        settings = _Settings(sd, "input", device)
        self.rate, self.lost, self.label = settings.rate, 0, settings.label
        self.block = round(block_ms * self.rate / 1000)
        self._blocks: queue.Queue[np.ndarray] = queue.Queue(
            max(round(QUEUED_SECONDS * self.rate / self.block), 2)
        )
        self._stream = _open(sd, stack, sd.InputStream, settings, self.block, self._take)
        self.latency = float(self._stream.latency)

    def read(self) -> np.ndarray | None:
        """The next block.

        Raises:
            UserError: the device has gone.
        """
        waited = 0.0
        while True:
            try:
                return self._blocks.get(timeout=0.1)
            except queue.Empty:
                waited += 0.1
                if waited > SILENT_SECONDS or not self._stream.active:
                    raise UserError(
                        f"{self.label}: the microphone gives no more sound; was it unplugged? "
                        "--list-devices shows what is there"
                    ) from None

    def _take(self, samples: np.ndarray, frames: int, moment: object, status: Any) -> None:
        """Called by PortAudio, in a thread of its own."""
        self.lost += bool(status.input_overflow)
        block = samples.mean(axis=1, dtype=np.float32)
        try:
            self._blocks.put_nowait(block)
        except queue.Full:
            self.lost += 1
            self._blocks.get_nowait()
            self._blocks.put_nowait(block)


class Loudspeaker:
    """An output device that plays what is written; see `endpoints.Output`.

    It begins when one block is there, and again after an underrun, which leaves one block more in the buffer.
    So the latency is low at first, and grows where the machine needs it.
    """

    def __init__(self, sd: ModuleType, device: int | str | None, block_ms: float, stack: ExitStack) -> None:
        """
        Args:
            sd: the module sounddevice.
            device: number or part of the name; None for the default.
            block_ms: duration of a block.
            stack: closes the device.

        Raises:
            UserError: no such device, or it cannot be opened.
        """
        settings = _Settings(sd, "output", device)
        self.rate, self.lost, self.label = settings.rate, 0, settings.label
        self._block = round(block_ms * self.rate / 1000)
        self._lock, self._parts, self._count = threading.Lock(), deque[np.ndarray](), 0
        self._begun = self._playing = self._ending = False
        self._level = 1.0 * self._block  # running mean of what is buffered when the device asks
        self._stream = _open(sd, stack, sd.OutputStream, settings, self._block, self._play)
        self.latency = float(self._stream.latency)

    @property
    def buffered(self) -> float:
        """Seconds that a sample waits before the device takes it, a running mean."""
        return self._level / self.rate

    def write(self, samples: np.ndarray) -> bool:
        """True. Samples that would come too late are left out, the oldest first.

        Raises:
            UserError: the device has gone.
        """
        if not self._stream.active:
            raise UserError(
                f"{self.label}: the loudspeaker takes no more sound; was it unplugged? "
                "--list-devices shows what is there"
            )
        with self._lock:
            self._parts.append(samples)
            self._count += len(samples)
            if self._count > MAX_BUFFERED_BLOCKS * self._block:
                self.lost += 1
                self._taken(self._count - 2 * self._block)
        return True

    def finish(self) -> None:
        """Play what is left."""
        self._ending = True
        until = time.monotonic() + SILENT_SECONDS
        while self._count and self._stream.active and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(self.latency)

    def _play(self, out: np.ndarray, frames: int, moment: object, status: Any) -> None:
        """Called by PortAudio, in a thread of its own."""
        with self._lock:
            if not self._begun and self._count >= self._block:
                self._begun = True
                self._taken(self._count - self._block)
            enough = self._begun and self._count >= (frames if self._playing else self._block)
            self.lost += (self._playing and not enough and not self._ending) or bool(status.output_underflow)
            self._playing = enough or self._ending
            if enough:
                self._level += 0.02 * (self._count - self._level)
            samples = self._taken(frames) if self._playing else np.empty(0, np.float32)
        out[:] = 0
        out[: len(samples)] = samples[:, None]

    def _taken(self, count: int) -> np.ndarray:
        """At most `count` of the oldest samples, removed from the buffer."""
        found = [np.empty(0, np.float32)]
        while self._parts and count:
            part = self._parts.popleft()
            found.append(part[:count])
            if len(part) > count:
                self._parts.appendleft(part[count:])
            count -= len(found[-1])
            self._count -= len(found[-1])
        return np.concatenate(found)


def _open(sd: ModuleType, stack: ExitStack, kind: Any, settings: _Settings, block: int, callback: Any) -> Any:
    try:
        return stack.enter_context(kind(callback=callback, **settings.options(block)))
    except (ValueError, sd.PortAudioError) as error:
        raise UserError(
            f"--{settings.kind} {settings.label}: cannot be opened ({_first_line(error)}); choose another"
        ) from error


def _default(sd: ModuleType, kind: str) -> int | None:
    try:
        return int(sd.query_devices(kind=kind)["index"])
    except (ValueError, sd.PortAudioError):
        return None


def _first_line(error: Exception | None) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else "unknown"
