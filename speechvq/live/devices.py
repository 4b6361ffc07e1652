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


class Device:
    """A sound device, at 16 kHz in mono if it can, else at its own rate, in stereo if it must.

    Attributes:
        kind, noun: "input" or "output", as sounddevice and the flags call it, and its name in messages.
        label: name of the device.
        rate: Hz.
        block: samples of a block.
        latency: as the system states it, seconds.
        lost: times that samples were missing or left out.
    """

    kind: str
    noun: str
    latency: float

    def __init__(self, sd: ModuleType, device: int | str | None, block_ms: float) -> None:
        """
        Args:
            sd: the module sounddevice.
            device: number or part of the name; None for the default.
            block_ms: duration of a block.

        Raises:
            UserError: no such device, or it cannot be opened.
        """
        self._sd, self._device, self.lost = sd, device, 0
        try:
            info = sd.query_devices(device, self.kind)
        except (ValueError, sd.PortAudioError) as error:
            what = (
                f"no {self.noun} found" if device is None else f"--{self.kind} {device}: {_first_line(error)}"
            )
            raise UserError(f"{what}; --list-devices shows the devices, and - is a pipe") from error
        self.label = str(info["name"])
        self.rate, self._channels = self._format(info)
        self.block = round(block_ms * self.rate / 1000)

    def _format(self, info: dict[str, Any]) -> tuple[int, int]:
        """Rate and channels with which the device can be opened."""
        check = getattr(self._sd, f"check_{self.kind}_settings")
        own, most = int(info["default_samplerate"]), int(info[f"max_{self.kind}_channels"])
        failure: Exception | None = None
        for channels in (1, 2)[: max(most, 1)]:
            for rate in dict.fromkeys((SAMPLE_RATE, own)):
                try:
                    check(device=self._device, channels=channels, dtype="float32", samplerate=rate)
                except (ValueError, self._sd.PortAudioError) as error:
                    failure = error
                    continue
                return rate, channels
        raise self._refusal(failure)

    def _start(self, stream: Any, callback: Any, stack: ExitStack) -> None:
        """Open the device; the stack closes it.

        Args:
            stream: class of sounddevice.
            callback: called by PortAudio, in a thread of its own.
            stack: closes the device.
        """
        options = {
            "device": self._device, "channels": self._channels, "samplerate": self.rate,
            "blocksize": self.block, "dtype": "float32", "latency": "low",
        }  # fmt: skip
        try:
            self._stream = stack.enter_context(stream(callback=callback, **options))
        except (ValueError, self._sd.PortAudioError) as error:
            raise self._refusal(error) from error
        self.latency = float(self._stream.latency)

    def _refusal(self, error: Exception | None) -> UserError:
        reason = _first_line(error)
        return UserError(f"--{self.kind} {self.label}: cannot be opened ({reason}); choose another")

    def _gone(self, what: str) -> UserError:
        text = f"{self.label}: the {self.noun} {what}; was it unplugged? --list-devices shows what is there"
        return UserError(text)


class Microphone(Device):
    """Blocks of an input device; see `endpoints.Input`."""

    kind, noun = "input", "microphone"

    def __init__(self, sd: ModuleType, device: int | str | None, block_ms: float, stack: ExitStack) -> None:
        """As `Device`; the stack closes it."""
        super().__init__(sd, device, block_ms)
        most = max(round(QUEUED_SECONDS * self.rate / self.block), 2)
        self._blocks: queue.Queue[np.ndarray] = queue.Queue(most)
        self._start(sd.InputStream, self._take, stack)

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
                    raise self._gone("gives no more sound") from None

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


class Loudspeaker(Device):
    """An output device that plays what is written; see `endpoints.Output`.

    It begins when one block is there, and again after an underrun, which leaves one block more in the buffer.
    So the latency is low at first, and grows where the machine needs it.
    """

    kind, noun = "output", "loudspeaker"

    def __init__(self, sd: ModuleType, device: int | str | None, block_ms: float, stack: ExitStack) -> None:
        """As `Device`; the stack closes it."""
        super().__init__(sd, device, block_ms)
        self._lock, self._parts, self._count = threading.Lock(), deque[np.ndarray](), 0
        self._begun = self._playing = self._ending = False
        self._level = 1.0 * self.block  # running mean of what is buffered when the device asks
        self._start(sd.OutputStream, self._play, stack)

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
            raise self._gone("takes no more sound")
        with self._lock:
            self._parts.append(samples)
            self._count += len(samples)
            if self._count > MAX_BUFFERED_BLOCKS * self.block:
                self.lost += 1
                self._taken(self._count - 2 * self.block)
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
            if not self._begun and self._count >= self.block:
                self._begun = True
                self._taken(self._count - self.block)
            enough = self._begun and self._count >= (frames if self._playing else self.block)
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


def _default(sd: ModuleType, kind: str) -> int | None:
    try:
        return int(sd.query_devices(kind=kind)["index"])
    except (ValueError, sd.PortAudioError):
        return None


def _first_line(error: Exception | None) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else "unknown"
