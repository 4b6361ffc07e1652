"""The page of the demo in a browser, with a microphone that plays a file."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="needs the extra demo")

from helpers.chromium import CHROMIUM, Page, browser_page
from helpers.demo import demo_client, demo_session, prior_of, write_speech
from helpers.tiny import speech_model
from speechvq.demo import server
from speechvq.demo.enrollment import enroll_upload
from speechvq.demo.session import Session

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs the browser chromium"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="the driver of the browser needs Python 3.11"),
]


@asynccontextmanager
async def demo_page(session: Session, folder: Path) -> AsyncIterator[Page]:
    """The page of a session; nothing may be logged as an error, and no other address requested."""
    temporary = folder / "temporary"
    temporary.mkdir()
    async with demo_client(session, temporary) as client:
        async with browser_page(folder, write_speech(folder / "microphone.wav", 8)) as page:
            await page.open(f"http://127.0.0.1:{client.port}/")
            yield page
            assert page.problems == []
    assert not list(temporary.iterdir())


async def result_of(page: Page, tab: str) -> str:
    """Click the button of a tab; the error that it ends with, or ""."""
    await page.wait(f"!document.querySelector('#{tab} .go').disabled")
    await page.click(f"#{tab} .go")
    result, error = (f"document.querySelector('#{tab} {each}')" for each in (".result", ".status .error"))
    await page.wait(f"(!{result}.hidden || {error}) && !document.querySelector('#{tab} .go').disabled")
    return str(await page.value(f"{error}?.textContent ?? ''"))


async def record(page: Page, tab: str, seconds: float) -> None:
    """Record from the microphone."""
    await page.click(f"#{tab} .record")
    await page.wait(f"parseFloat(document.querySelector('#{tab} .timer').textContent) >= {seconds}")
    await page.click(f"#{tab} .record")
    await page.wait(f"!document.querySelector('#{tab} .go').disabled")


async def playable(page: Page, selector: str) -> float:
    """Seconds of an audio element, once the browser has decoded it."""
    await page.wait(f"document.querySelector(`{selector}`).readyState > 0")
    return float(await page.value(f"document.querySelector(`{selector}`).duration"))


def test_record_convert_and_mistakes(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not audio")

    async def scenario() -> None:
        async with demo_page(demo_session(), tmp_path) as page:
            assert await page.value("document.querySelector('#convert .go').disabled")
            assert "First record" in await page.text("#convert .status")
            await record(page, "convert", 1.0)
            assert await result_of(page, "convert") == ""
            assert await playable(page, "#convert [data-audio=converted]") >= 1.0
            assert await page.text("#convert .ours h3") == "In the voice of bob"
            assert await page.value("document.querySelector('#convert img').naturalWidth") == 1600
            await page.click("#convert input[value=ada]")
            await page.choose_file("#convert input[type=file]", tmp_path / "notes.txt")
            await page.wait("document.querySelector('#convert .chosen b').textContent == 'notes.txt'")
            assert (await result_of(page, "convert")).startswith("notes.txt: not a readable audio file")
            await page.choose_file("#convert input[type=file]", tmp_path / "gone.wav")
            await page.wait(
                "document.querySelector('#convert .error').textContent.includes('cannot be read')"
            )
            await page.click("#convert .example")
            await page.wait(
                "document.querySelector('#convert .chosen b').textContent.startsWith('an example')"
            )
            assert await result_of(page, "convert") == ""
            assert await playable(page, "#convert [data-audio=source]") == pytest.approx(4, abs=0.1)
            await page.click("#convert .voice button")
            await page.wait("document.querySelector('#convert .voice button').textContent == '■'")

    asyncio.run(scenario())


def test_add_a_voice_generate_and_look_at_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "enroll_upload", partial(enroll_upload, steps=2))
    session = demo_session()
    session.prior = prior_of(session.model)
    recording = write_speech(tmp_path / "me.wav", 7)

    async def scenario() -> None:
        async with demo_page(session, tmp_path) as page:
            await page.click("#tab-enroll")
            await page.choose_file("#enroll input[type=file]", recording)
            assert await result_of(page, "enroll") == "Give the new voice a name."
            await page.value("document.querySelector('#name').value = 'me'")
            assert await result_of(page, "enroll") == ""
            download = await page.value("document.querySelector('#enroll .download').download")
            assert download == "me.safetensors"
            assert await page.value("document.querySelector('#convert .voices input:checked').value") == "me"
            await page.click("#tab-generate")
            await page.value("document.querySelector('#generate-seconds').value = 1")
            assert await result_of(page, "generate") == ""
            assert await playable(page, "#generate [data-audio=audio]") == pytest.approx(1, abs=0.05)
            await page.click("#tab-units")
            await page.choose_file("#units input[type=file]", recording)
            assert await result_of(page, "units") == ""
            assert len((await page.text("#units .codes")).split()) == 700

    asyncio.run(scenario())


def test_live_conversion(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with demo_page(demo_session(), tmp_path) as page:
            await page.click("#tab-live")
            await page.click("#live .go")
            await page.wait("document.querySelector('#live-delay').textContent.endsWith(' ms')")
            assert await page.text("#live .status") == ""
            await page.wait("document.querySelector('#live-load').textContent.endsWith(' %')")
            await page.wait("document.querySelector('#level-out').value > 0")
            await page.click("#live input[value=ada]")
            await asyncio.sleep(0.5)
            await page.click("#live .go")
            await page.wait("document.querySelector('#live .go').textContent == 'Start'")
            assert await page.text("#live .status") == ""

    asyncio.run(scenario())


def test_a_model_that_cannot_convert_live_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with demo_page(Session(speech_model(), Path("tiny")), tmp_path) as page:
            await page.click("#tab-live")
            assert "This model does not run live" in await page.text("#live")
            await page.click("#tab-generate")
            assert "--prior exp/prior" in await page.text("#generate")

    asyncio.run(scenario())
