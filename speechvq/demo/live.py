"""The work of the tab Live: a stream at the rate of the browser's sound card, over a WebSocket."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from aiohttp import WSMessage, WSMsgType, web

from speechvq.errors import UserError
from speechvq.live.converter import LiveConverter
from speechvq.runtime.compilation.notice import compile_notice
from speechvq.speech.model import SpeechVQ
from speechvq.speech.streaming.conversion import check_can_stream

MIN_RATE, MAX_RATE = 8_000, 192_000  # Hz, of a sound card
WARM_UP_SECONDS = 0.3
BLOCK_MS = 20.0  # of the blocks that the page sends
MAX_BACKLOG = 0.5  # s of input that may wait; older input is dropped
STATUS_EVERY = 0.5  # s
BUSY = "Another page is live already; stop it first."
MALFORMED = "The page and the program do not fit together; load the page again."


class LiveConversion:
    """A conversion stream with the rate of a sound card at both ends."""

    def __init__(self, model: SpeechVQ, speaker: str, rate: int) -> None:
        """
        Args:
            model: one that can convert a stream.
            speaker: the target.
            rate: of the samples in and out, Hz.

        Raises:
            UserError: the model cannot convert a stream, an unknown speaker, or a rate out of range.
        """
        if not MIN_RATE <= rate <= MAX_RATE:
            raise UserError(f"{rate} Hz: choose a sound card with {MIN_RATE} to {MAX_RATE} Hz")
        self._stream = model.stream(speaker)
        self._converter = LiveConverter(self._stream, rate, rate, BLOCK_MS)

    def set_speaker(self, speaker: str) -> None:
        """Convert to another speaker from now on.

        Raises:
            UserError: an unknown speaker.
        """
        self._stream.set_speaker(speaker)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Converted samples that are ready: (n,) to (m,), float32, at the rate of the sound card."""
        return self._converter.push(samples)

    @property
    def latency_ms(self) -> float:
        """Latency of block, model and resampling, without the sound card, ms."""
        return self._converter.latency.total

    def status(self) -> dict[str, Any]:
        """Median time of a block relative to its duration, and the samples that were not finite."""
        return {"load": round(self._converter.load(50), 3), "bad_samples": self._converter.bad_samples}


class Backlog:
    """Input that waits for its conversion; what is older than half a second is dropped and counted.

    Attributes:
        dropped: samples.
    """

    def __init__(self, rate: int) -> None:
        """
        Args:
            rate: Hz.
        """
        self._blocks: list[np.ndarray] = []
        self._rate, self.dropped = rate, 0

    def add(self, samples: np.ndarray) -> None:
        """Add a block (n,)."""
        self._blocks.append(samples)
        while len(self._blocks) > 1 and sum(map(len, self._blocks)) > MAX_BACKLOG * self._rate:
            self.dropped += len(self._blocks.pop(0))

    @property
    def dropped_ms(self) -> float:
        """Duration of what was dropped."""
        return 1000 * self.dropped / self._rate

    def take(self) -> np.ndarray:
        """All that waits, (n,), n = 0 for nothing."""
        blocks, self._blocks = self._blocks, []
        return np.concatenate([np.empty(0, np.float32), *blocks])


def live_state(model: SpeechVQ) -> dict[str, Any]:
    """Whether a model can convert a stream, with the latency or the reason against it."""
    try:
        check_can_stream(model)
    except UserError as error:
        reason = str(error)
        return {"possible": False, "reason": f"{reason[0].upper()}{reason[1:]}."}
    return {"possible": True, "lookahead_ms": round(model.stream(model.speakers[0]).lookahead_ms)}


class LiveSocket:
    """Serves one live page at a time.

    The page sends {"speaker": name, "rate": Hz}, then blocks of float32 samples, and {"speaker": name} at
    any time. It gets {"latency_ms": ...} when the conversion is ready, blocks of converted samples, {"load":
    ..., "dropped_ms": ..., "bad_samples": ...} twice a second, and {"error": sentence} before the end.
    """

    def __init__(self, model: SpeechVQ) -> None:
        self._model, self._busy = model, False
        self._executor = ThreadPoolExecutor(1, "speechvq-live")

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve a page until it leaves."""
        socket = web.WebSocketResponse(max_msg_size=1 << 20, heartbeat=20)
        await socket.prepare(request)
        if self._busy:
            await socket.send_json({"error": BUSY})
        else:
            self._busy = True
            try:
                await self._serve(socket)
            except UserError as error:
                await socket.send_json({"error": f"{error}."})
            except (ValueError, TypeError, KeyError):  # not what the page sends
                await socket.send_json({"error": MALFORMED})
            except ConnectionError:  # the page has gone
                pass
            finally:
                self._busy = False
        await socket.close()
        return socket

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown(cancel_futures=True)

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        request = await socket.receive_json(timeout=10)
        opening = partial(_warm_conversion, self._model, str(request["speaker"]), int(request["rate"]))
        conversion = await asyncio.get_running_loop().run_in_executor(self._executor, opening)
        backlog, arrived = Backlog(int(request["rate"])), asyncio.Event()
        await socket.send_json({"latency_ms": round(conversion.latency_ms)})
        converter = asyncio.ensure_future(self._convert(socket, conversion, backlog, arrived))
        try:
            async for message in socket:
                if converter.done():
                    break
                _receive(message, conversion, backlog)
                arrived.set()
        finally:
            converter.cancel()
            await asyncio.wait([converter])
        if not converter.cancelled() and (error := converter.exception()):
            raise error

    async def _convert(
        self,
        socket: web.WebSocketResponse,
        conversion: LiveConversion,
        backlog: Backlog,
        arrived: asyncio.Event,
    ) -> None:
        """Convert what arrives, and report twice a second."""
        loop, reported = asyncio.get_running_loop(), time.monotonic()
        while True:
            await arrived.wait()
            arrived.clear()
            samples = backlog.take()
            converted = await loop.run_in_executor(self._executor, conversion.push, samples)
            if len(converted):
                await socket.send_bytes(converted.astype("<f4").tobytes())
            if time.monotonic() - reported >= STATUS_EVERY:
                reported = time.monotonic()
                await socket.send_json(conversion.status() | {"dropped_ms": round(backlog.dropped_ms)})


def _warm_conversion(model: SpeechVQ, speaker: str, rate: int) -> LiveConversion:
    """A conversion whose kernels are compiled, so that its first blocks are not late.

    Raises:
        UserError: as of `LiveConversion`.
    """
    with compile_notice("live conversion"):
        LiveConversion(model, speaker, rate).push(np.zeros(round(WARM_UP_SECONDS * rate), np.float32))
    return LiveConversion(model, speaker, rate)


def _receive(message: WSMessage, conversion: LiveConversion, backlog: Backlog) -> None:
    """Take one message of the page.

    Raises:
        UserError: an unknown speaker.
        ValueError: a message that no page sends.
    """
    if message.type == WSMsgType.BINARY:
        backlog.add(np.frombuffer(message.data, "<f4").astype(np.float32))
    elif message.type == WSMsgType.TEXT:
        conversion.set_speaker(str(json.loads(message.data)["speaker"]))
