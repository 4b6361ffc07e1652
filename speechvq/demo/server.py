"""The server of the page: its files, its requests, and who may send them."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from speechvq.demo.conversion import convert_upload, voice_sample
from speechvq.demo.enrollment import enroll_upload
from speechvq.demo.generation import MAX_SECONDS as MAX_GENERATED_SECONDS
from speechvq.demo.generation import generate_speech
from speechvq.demo.live import LiveSocket, live_state
from speechvq.demo.session import EXAMPLE, Session
from speechvq.demo.units import describe_upload, has_phones
from speechvq.demo.uploads import MAX_BYTES, MAX_SECONDS, TOO_LARGE, file_name
from speechvq.demo.work_queue import Work, WorkQueue
from speechvq.enroll import MIN_SECONDS
from speechvq.errors import UserError
from speechvq.generate import prior_commands

PAGE = EXAMPLE.parent
FILES = {
    "/": "index.html",
    "/style.css": "style.css",
    "/page.js": "page.js",
    "/audio.js": "audio.js",
    "/worklets.js": "worklets.js",
    "/example.flac": EXAMPLE.name,
}
HOSTS = ("127.0.0.1", "localhost")
FOREIGN = "This page may only be used from this computer."
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self' ws:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DemoServer:
    """Answers the requests of the page.

    A recording lies in a folder of its request, which is removed at the end of the request. An answer is a
    line of JSON for each message of the queue, see `WorkQueue.messages`.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        """
        Args:
            session: model, voices and prior.
            folder: for temporary files.
        """
        self._session, self._folder = session, folder
        self._queue, self._live = WorkQueue(), LiveSocket(session.model)

    def application(self) -> web.Application:
        """The routes."""
        application = web.Application(middlewares=[only_from_this_computer])
        for path, name in FILES.items():
            application.router.add_get(path, partial(_send_file, PAGE / name))
        application.router.add_get("/state", self.state)
        application.router.add_get("/live", self._live.handle)
        for handler in (self.convert, self.sample, self.enroll, self.generate, self.units):
            application.router.add_post(f"/{handler.__name__}", handler)
        application.on_response_prepare.append(_add_headers)
        application.on_shutdown.append(self._close)
        return application

    async def state(self, _: web.Request) -> web.Response:
        """What the page shows of the model, the voices and the limits."""
        session, config = self._session, self._session.model.config
        return web.json_response(
            {
                "model": str(session.name),
                "codes_per_second": config.frame_rate,
                "num_codes": config.quantizer.num_codes,
                "voices": session.voices(),
                "live": live_state(session.model),
                "phones": has_phones(),
                "prior": session.prior is not None,
                "prior_commands": prior_commands(session.name),
                "max_bytes": MAX_BYTES,
                "max_seconds": MAX_SECONDS,
                "min_enrollment_seconds": MIN_SECONDS,
                "max_generated_seconds": MAX_GENERATED_SECONDS,
            }
        )

    async def convert(self, request: web.Request) -> web.StreamResponse:
        """Convert the recording in the body to the voice `speaker`."""
        speaker = request.query.get("speaker", "")
        async with self._upload(request) as (path, folder):
            work = partial(convert_upload, self._session, path, speaker, folder)
            return await self._answer(request, work, folder)

    async def sample(self, request: web.Request) -> web.StreamResponse:
        """The example sentence in the voice `speaker`."""
        work = partial(voice_sample, self._session, request.query.get("speaker", ""))
        return await self._answer(request, work, self._folder)

    async def enroll(self, request: web.Request) -> web.StreamResponse:
        """Add the voice of the recording in the body as `name`."""
        name = request.query.get("name", "")
        async with self._upload(request) as (path, folder):
            work = partial(enroll_upload, self._session, path, name, folder)
            return await self._answer(request, work, folder)

    async def generate(self, request: web.Request) -> web.StreamResponse:
        """`seconds` of speech from the prior, in the voice `speaker`, with `seed`."""
        query = request.query
        try:
            seconds, seed = float(query.get("seconds", "4")), int(query.get("seed", "0"))
        except ValueError:
            raise web.HTTPBadRequest from None
        with TemporaryDirectory(dir=self._folder) as name:
            folder, speaker = Path(name), query.get("speaker", "")
            work = partial(generate_speech, self._session, speaker, seconds, abs(seed), folder)
            return await self._answer(request, work, folder)

    async def units(self, request: web.Request) -> web.StreamResponse:
        """Codes, phones and statistics of the recording in the body."""
        async with self._upload(request) as (path, folder):
            work = partial(describe_upload, self._session, path, folder)
            return await self._answer(request, work, folder)

    @asynccontextmanager
    async def _upload(self, request: web.Request) -> AsyncIterator[tuple[Path, Path]]:
        """Write the body into a folder of its own; yields the file and the folder.

        With `example` instead of a body, the file is the example sentence.

        Raises:
            UserError: the body is too large.
        """
        with TemporaryDirectory(dir=self._folder) as name:
            folder = Path(name)
            if "example" in request.query:
                yield EXAMPLE, folder
                return
            path = folder / file_name(request.query.get("file", ""))
            await _save_body(request, path)
            yield path, folder

    async def _answer(self, request: web.Request, work: Work, folder: Path) -> web.StreamResponse:
        """Send the messages of a piece of work."""
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async with contextlib.aclosing(self._queue.messages(work, folder)) as messages:
            with contextlib.suppress(ConnectionError):  # the page has gone, which cancels the work
                async for message in messages:
                    await response.write(_line(message))
        return response

    async def _close(self, _: web.Application) -> None:
        self._queue.close()
        self._live.close()


@web.middleware
async def only_from_this_computer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests of pages of other sites, which a browser would send as well.

    The name of the host is checked against DNS rebinding, the origin against forged requests.
    """
    origin = request.headers.get("Origin")
    if request.url.host not in HOSTS or origin not in (None, f"http://{request.host}"):
        raise web.HTTPForbidden(text=FOREIGN)
    try:
        return await handler(request)
    except UserError as error:  # before the work
        return web.Response(body=_line({"error": str(error)}), content_type="application/x-ndjson")


def serve(session: Session, listener: socket.socket, folder: Path, *, open_browser: bool) -> None:
    """Serve the page until a signal comes.

    Args:
        session: model, voices and prior.
        listener: a listening socket.
        folder: for temporary files.
        open_browser: whether to show the page in a browser, if there is a screen.
    """
    asyncio.run(_serve(session, listener, folder, open_browser=open_browser))


async def _serve(session: Session, listener: socket.socket, folder: Path, *, open_browser: bool) -> None:
    runner = web.AppRunner(DemoServer(session, folder).application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        host, port = listener.getsockname()
        url = f"http://{host}:{port}"
        print(f"{url}    (Ctrl-C ends the demo)", flush=True)
        if open_browser and _has_screen():
            await asyncio.to_thread(webbrowser.open, url)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _has_screen() -> bool:
    """Whether a browser can open a window; without one, a browser of the terminal would take its place."""
    return not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


async def _save_body(request: web.Request, path: Path) -> None:
    """Write the body to a file.

    Raises:
        UserError: it is too large.
    """
    if (request.content_length or 0) > MAX_BYTES:
        raise UserError(TOO_LARGE)
    size = 0
    with path.open("wb") as file:
        async for chunk in request.content.iter_chunked(1 << 16):
            size += len(chunk)
            if size > MAX_BYTES:
                raise UserError(TOO_LARGE)
            file.write(chunk)


async def _send_file(path: Path, _: web.Request) -> web.FileResponse:
    return web.FileResponse(path)


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _line(message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"
