"""The server of the demo: the queue, who may use it, limits, temporary files, and the live socket."""

import asyncio
import itertools
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="needs the extra demo")

from aiohttp import ClientWebSocketResponse

from helpers.demo import demo_client, demo_session, last_message, write_speech
from helpers.live_model import live_model
from helpers.tiny import speech_model
from speechvq.demo import server, work_queue
from speechvq.demo.live import BUSY, MALFORMED, Backlog, LiveConversion, live_state
from speechvq.demo.work_queue import Progress, WorkQueue
from speechvq.errors import UserError


async def all_messages(queue: WorkQueue, work: work_queue.Work) -> list[dict[str, Any]]:
    return [message async for message in queue.messages(work, Path("/nowhere"))]


def test_the_queue_works_on_one_thing_at_a_time_in_order() -> None:
    running, order = 0, []

    def work(number: int) -> work_queue.Work:
        def run(progress: Progress) -> dict[str, Any]:
            nonlocal running
            running += 1
            assert running == 1
            time.sleep(0.25)
            progress(0.5)
            time.sleep(0.25)
            running -= 1
            order.append(number)
            return {"number": number}

        return run

    async def scenario() -> list[list[dict[str, Any]]]:
        queue = WorkQueue()
        found = await asyncio.gather(*(all_messages(queue, work(i)) for i in range(3)))
        queue.close()
        return found

    first, second, third = asyncio.run(scenario())
    assert order == [0, 1, 2]
    assert {"done": 0.5} in first and first[-1] == {"result": {"number": 0}}
    assert second[0] == {"ahead": 1} and third[0] == {"ahead": 2} and {"ahead": 1} in third


def test_errors_are_sentences_and_crashes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    def mistake(_: Progress) -> dict[str, Any]:
        raise UserError("/nowhere/a.wav: not audio\nat all")

    def crash(_: Progress) -> dict[str, Any]:
        raise KeyError("secret")

    async def scenario() -> list[list[dict[str, Any]]]:
        queue = WorkQueue()
        found = [await all_messages(queue, work) for work in (mistake, crash)]
        queue.close()
        return found

    assert asyncio.run(scenario()) == [
        [{"error": "a.wav: not audio at all."}],
        [{"error": work_queue.CRASHED}],
    ]
    assert "KeyError: 'secret'" in capsys.readouterr().err


def test_a_full_queue_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue, "MAX_WAITING", 0)
    found = asyncio.run(all_messages(WorkQueue(), lambda _: {}))
    assert found == [{"error": work_queue.FULL}]


def test_work_that_nobody_waits_for_ends() -> None:
    ended = []

    def work(progress: Progress) -> dict[str, Any]:
        try:
            while True:
                progress(0.5)
                time.sleep(0.01)
        finally:
            ended.append(True)

    async def scenario() -> None:
        queue = WorkQueue()
        messages = queue.messages(work, Path("/nowhere"))
        assert await anext(messages) == {"done": 0.5}
        await messages.aclose()
        assert ended == [True]
        queue.close()

    asyncio.run(scenario())


def test_a_request_leaves_no_file(tmp_path: Path) -> None:
    folder, path = tmp_path / "temporary", write_speech(tmp_path / "a.flac", 0.5)
    folder.mkdir()

    async def scenario() -> list[dict[str, Any]]:
        async with demo_client(demo_session(), folder) as client:
            return [
                await last_message(await client.post(route, data=body))
                for route, body in (
                    ("/convert?speaker=bob&file=a.flac", path.read_bytes()),
                    ("/convert?speaker=bob&example", None),
                    ("/units?file=a.flac", path.read_bytes()),
                    ("/convert?speaker=bob&file=notes.txt", b"not audio"),
                    ("/convert?speaker=bob&file=empty.wav", b""),
                    ("/convert?file=a.flac", path.read_bytes()),
                    ("/enroll?name=me&file=a.flac", path.read_bytes()),
                    ("/generate", None),
                )
            ]

    results = asyncio.run(scenario())
    assert not list(folder.iterdir())
    assert all("result" in each for each in results[:3]) and results[1]["result"]["seconds"] == 4
    errors = [each["error"] for each in results[3:]]
    assert errors[0].startswith("notes.txt: not a readable audio file")
    assert errors[1].startswith("empty.wav: empty, 0 bytes")
    assert errors[2].startswith("unknown speaker ''")
    assert errors[3].startswith("a.flac: 0.5 s of speech; record at least 5 s")
    assert "needs a prior" in errors[4]
    assert all(each.endswith((".", ")")) and str(tmp_path) not in each for each in errors)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_upload_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunked: bool) -> None:
    monkeypatch.setattr(server, "MAX_BYTES", 1000)

    async def body() -> Any:
        for _ in range(3):
            yield bytes(500)

    async def scenario() -> dict[str, Any]:
        async with demo_client(demo_session(), tmp_path) as client:
            data = body() if chunked else bytes(1500)
            return await last_message(await client.post("/convert?speaker=bob&file=a.wav", data=data))

    assert "too large; send at most" in asyncio.run(scenario())["error"]
    assert not list(tmp_path.iterdir())


def test_other_sites_are_refused_and_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with demo_client(demo_session(), tmp_path) as client:
            own = f"http://127.0.0.1:{client.port}"
            for headers, status in (
                ({}, 200),
                ({"Origin": own}, 200),
                ({"Origin": "http://example.org"}, 403),
                ({"Origin": "null"}, 403),
                ({"Host": "example.org"}, 403),
            ):
                for path in ("/", "/state", "/live"):
                    answer = await client.get(path, headers=headers)
                    assert answer.status == (status if path != "/live" or status == 403 else 400), path
            for path in server.FILES:
                answer = await client.get(path)
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                if not path.endswith(".flac"):
                    text = await answer.text()
                    assert not re.findall(r"https?://|//cdn|@import|url\(", text)
            assert (await client.get("/../server.py")).status == 404

    asyncio.run(scenario())


def test_the_state_names_voices_limits_and_what_is_possible(tmp_path: Path) -> None:
    async def scenario() -> dict[str, Any]:
        async with demo_client(demo_session(), tmp_path) as client:
            return dict(await (await client.get("/state")).json())

    state = asyncio.run(scenario())
    assert state["voices"][0] == {
        "name": "bob",
        "about": "man, mean 200\u00a0Hz, 12\u00a0min",
        "little": False,
    }
    assert (
        state["voices"][1]["little"] and not state["prior"] and "--model tiny" in state["prior_commands"][0]
    )
    assert state["live"]["possible"] and 40 <= state["live"]["lookahead_ms"] <= 80
    reason = live_state(speech_model())["reason"]
    assert reason.startswith("This model does not run live") and reason.endswith(".")


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_a_live_conversion_keeps_the_rate_of_the_sound_card(rate: int) -> None:
    conversion, rng = LiveConversion(live_model(), "ada", rate), np.random.default_rng(0)
    block = rate // 50
    given = [0.1 * rng.standard_normal(block).astype(np.float32) for _ in range(50)]
    found = [conversion.push(each) for each in given[:25]]
    conversion.set_speaker("bob")
    found += [conversion.push(each) for each in given[25:]]
    converted = np.concatenate(found)
    missing = 50 * block - len(converted)
    assert 0 <= missing / rate < conversion.latency_ms / 1000 + 0.02
    assert np.isfinite(converted).all() and converted.any() and conversion.status()["load"] > 0
    conversion.push(np.full(block, np.nan, np.float32))
    assert np.isfinite(conversion.push(given[0])).all()
    with pytest.raises(UserError, match="unknown speaker"):
        conversion.set_speaker("eve")
    for wrong in (0, -1, 10**6):
        with pytest.raises(UserError, match="choose a sound card"):
            LiveConversion(live_model(), "ada", wrong)


def test_old_input_is_dropped_and_counted() -> None:
    backlog = Backlog(16_000)
    for number in range(60):
        backlog.add(np.full(320, number, np.float32))
    waiting = backlog.take()
    assert len(waiting) == 8_000 and waiting[-1] == 59 and backlog.dropped == 60 * 320 - 8_000
    assert not len(backlog.take()) and backlog.dropped_ms == 700


async def send_speech(socket: ClientWebSocketResponse) -> None:
    """Send blocks of 20 ms at 48 kHz, and choose another voice."""
    for number in itertools.count():
        await socket.send_bytes((0.1 * np.sin(np.arange(960) * 0.02)).astype("<f4").tobytes())
        if number == 10:
            await socket.send_json({"speaker": "bob"})
        await asyncio.sleep(0.02)


def test_the_live_socket_converts_for_one_page_at_a_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with demo_client(demo_session(), tmp_path) as client:
            async with client.ws_connect("/live") as socket:
                await socket.send_json({"speaker": "ada", "rate": 48_000})
                assert (await socket.receive_json())["latency_ms"] > 0
                async with client.ws_connect("/live") as second:
                    assert await second.receive_json() == {"error": BUSY}
                sending = asyncio.ensure_future(send_speech(socket))
                count, status = 0, None
                while status is None:
                    message = await socket.receive(timeout=30)
                    if message.type.name == "TEXT":
                        status = message.json()
                    else:
                        count += len(np.frombuffer(message.data, "<f4"))
                sending.cancel()
                assert count and status["load"] > 0 and status["bad_samples"] == 0 <= status["dropped_ms"]
            for first in ({"speaker": "eve", "rate": 48_000}, {"speaker": "ada"}, ["?"]):
                async with client.ws_connect("/live") as socket:
                    await socket.send_json(first)
                    error = (await socket.receive_json())["error"]
                    assert error == MALFORMED or error.startswith("unknown speaker 'eve'")
            async with client.ws_connect("/live") as socket:
                await socket.send_json({"speaker": "ada", "rate": 48_000})
                await socket.receive_json()
                await socket.send_bytes(b"123")
                assert await socket.receive_json() == {"error": MALFORMED}

    asyncio.run(scenario())
