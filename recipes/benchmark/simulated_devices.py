"""A microphone and a loudspeaker that exist in memory, in place of the module sounddevice."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace, TracebackType
from typing import Any

import numpy as np


class PortAudioError(Exception):
    """As in sounddevice."""


class SimulatedDevices:
    """What `speechvq.live` uses of sounddevice, on one clock.

    The microphone hears a given wave, and then silence. What the loudspeaker plays is recorded.

    Attributes:
        played: blocks that were played, from the start of the clock.
        microphone_start: number of the block in which the wave begins.
    """

    PortAudioError = PortAudioError

    def __init__(
        self,
        wave: np.ndarray,
        rate: int = 16_000,
        names: tuple[str, ...] = ("simulated",),
        *,
        runs: bool = True,
    ) -> None:
        """
        Args:
            wave: (T,), float32.
            rate: Hz, the only one that the devices have.
            names: of the devices.
            runs: whether the clock runs; otherwise `tick` moves it.
        """
        self.wave, self.rate, self.names = wave, rate, names
        self.played: list[np.ndarray] = []
        self.microphone_start = self.block = self._given = 0
        self._runs = runs
        self.ended = threading.Event()  # set when the whole wave has been heard
        self.gone = False  # the devices vanish
        self._input: _Stream | None = None
        self._output: _Stream | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        """All devices, or the one with a number or name."""
        listed = [
            {
                "name": name, "index": number, "max_input_channels": 2, "max_output_channels": 2,
                "default_samplerate": float(self.rate),
            }
            for number, name in enumerate(self.names)
        ]  # fmt: skip
        if device is None and kind is None:
            return listed
        found = [each for each in listed if device in (None, each["index"]) or str(device) in each["name"]]
        if not found:
            raise (
                PortAudioError("Error querying device -1")
                if device is None
                else ValueError(f"No {kind} device matching {device!r}")
            )
        return found[0]

    def check_input_settings(self, samplerate: float, **_: Any) -> None:
        """Refuses other rates."""
        if samplerate != self.rate:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    check_output_settings = check_input_settings

    def InputStream(self, **options: Any) -> "_Stream":
        """The microphone."""
        self._input = _Stream(self, **options)
        return self._input

    def OutputStream(self, **options: Any) -> "_Stream":
        """The loudspeaker."""
        self._output = _Stream(self, **options)
        return self._output

    def recording(self) -> np.ndarray:
        """What was played, from the start of the clock."""
        return np.concatenate([np.empty(0, np.float32), *self.played])

    def start(self, block: int) -> None:
        """Start the clock, if it does not run."""
        self.block = block
        if self._thread is None and self._runs:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop the clock."""
        self._stop.set()

    def tick(self) -> None:
        """One block later: the loudspeaker asks for a block, then the microphone gives the last one."""
        status = SimpleNamespace(input_overflow=False, output_underflow=False)
        out = np.zeros((self.block, 1), np.float32)
        if self._output is not None and self._output.open:
            self._output.callback(out, self.block, None, status)
        self.played.append(out[:, 0])
        if self._input is not None and self._input.open:
            if not self._given:
                self.microphone_start = len(self.played) - 2
            part = self.wave[self._given : self._given + self.block]
            self._given += self.block
            self._input.callback(np.pad(part, (0, self.block - len(part)))[:, None], self.block, None, status)
            if self._given >= len(self.wave):
                self.ended.set()

    def _run(self) -> None:
        begun = time.monotonic()
        while not self.gone and not self._stop.wait(
            max(begun + len(self.played) * self.block / self.rate - time.monotonic(), 0)
        ):
            self.tick()


class _Stream:
    """An opened device."""

    latency = 0.0

    def __init__(
        self,
        devices: SimulatedDevices,
        *,
        callback: Callable[..., None],
        channels: int,
        blocksize: int,
        **_: Any,
    ) -> None:
        self.callback, self.channels, self.open = callback, channels, False
        self._devices, self._block = devices, blocksize

    @property
    def active(self) -> bool:
        """Whether the device is there."""
        return not self._devices.gone

    def __enter__(self) -> "_Stream":
        self.open = True
        self._devices.start(self._block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open = False
