"""The page of the demo in a browser, with a microphone that plays a file."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiohttp", reason="needs the extra demo")

from helpers.chromium import CHROMIUM, Page, browser_page
from helpers.demo import demo_client, demo_session, prior_of, write_speech
from helpers.tiny import speech_model
from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
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
    assert await page.value(f"{result}.hidden")
    await page.wait(f"document.querySelector('#{tab} .go').ariaDisabled == 'false'")
    assert await page.value(f"!{result}.hidden || Boolean({error})")
    return str(await page.value(f"{error}?.textContent ?? ''"))


async def record(page: Page, tab: str, seconds: float) -> None:
    """Record from the microphone."""
    await page.click(f"#{tab} .record")
    await page.wait(f"parseFloat(document.querySelector('#{tab} .timer').textContent) >= {seconds}")
    assert await page.value(f"Boolean(document.querySelector('#tab-{tab} .microphone'))")
    await page.click(f"#{tab} .record")
    assert not await page.value("document.querySelector('.microphone')")
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
            assert await page.text("#convert .result h3") == "Source: recording.wav"
            assert not await page.text("#convert [data-text=warning]")
            assert await page.value("document.querySelector('#convert img').naturalWidth") == 1600
            await page.click("#convert input[value=ada]")
            await page.choose_file("#convert input[type=file]", tmp_path / "notes.txt")
            await page.wait("document.querySelector('#convert .chosen b').textContent == 'notes.txt'")
            await page.wait("document.querySelector('#convert .recorder').innerText.includes('cannot play')")
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


def test_back_returns_to_the_tab_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with demo_page(demo_session(), tmp_path) as page:
            for tab in ("units", "live"):
                await page.click(f"#tab-{tab}")
            await page.click("#tab-live")  # no change, no entry
            for tab in ("units", "convert"):
                await page.value("history.back()")
                await page.wait(f"!document.querySelector('#{tab}').hidden && location.hash == '#{tab}'")
                assert await page.value(f"document.querySelector('#tab-{tab}').ariaSelected") == "true"
            await page.value("history.forward()")
            await page.wait("!document.querySelector('#units').hidden")

    asyncio.run(scenario())


def test_a_long_file_silence_and_another_file(tmp_path: Path) -> None:
    write_waveform(tmp_path / "long.wav", np.zeros(61 * SAMPLE_RATE, np.float32))
    write_waveform(tmp_path / "mute.wav", np.zeros(SAMPLE_RATE, np.float32))
    button = "document.querySelector('#convert .go')"

    async def scenario() -> None:
        async with demo_page(demo_session(), tmp_path) as page:
            await page.choose_file("#convert input[type=file]", tmp_path / "mute.wav")
            await page.wait(f"!{button}.disabled")
            await page.value(f"{button}.focus()")
            assert await result_of(page, "convert") == ""
            assert await page.value(f"document.activeElement == {button}")
            warning = await page.text("#convert [data-text=warning]")
            assert warning == "No speech was found in mute.wav: was the microphone muted?"
            await page.choose_file("#convert input[type=file]", tmp_path / "long.wav")
            await page.wait(f"{button}.disabled")
            assert await page.text("#convert .recorder .error") == "long.wav is 61 s long; cut it to 60 s."
            assert await page.text("#convert .result.old h3") == "Source: mute.wav"
            assert "earlier recording" in await page.text("#convert .status")
            await page.click("#convert .example")
            await page.wait(f"!{button}.disabled")
            assert not await page.text("#convert .recorder .error")
            assert await result_of(page, "convert") == ""
            assert not await page.value("document.querySelector('#convert .result.old')")

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
            await page.wait("document.querySelector('#tab-live .microphone')?.ariaLabel == 'microphone on'")
            await page.wait("document.querySelector('#live-delay').textContent.endsWith(' ms')")
            assert await page.text("#live .status") == ""
            await page.wait("document.querySelector('#live-load').textContent.endsWith(' %')")
            await page.wait("document.querySelector('#level-out').value > 0")
            await page.click("#live input[value=ada]")
            await asyncio.sleep(0.5)
            await page.click("#live .go")
            await page.wait("document.querySelector('#live .go').textContent == 'Start'")
            assert not await page.value("document.querySelector('.microphone')")
            assert await page.text("#live-last") == "Of the last session"
            assert await page.text("#live .status") == ""

    asyncio.run(scenario())


def test_a_model_that_cannot_convert_live_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with demo_page(Session(speech_model(), Path("tiny")), tmp_path) as page:
            await page.click("#tab-live")
            assert "This model does not run live" in await page.text("#live")
            await page.click("#tab-generate")
            generate = await page.text("#generate")
            assert "without a prior" in generate and "--prior exp/prior" in generate

    asyncio.run(scenario())
