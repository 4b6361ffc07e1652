"""Pictures of the demo page with the default model: docs/demo.png and docs/live.png.

Needs Chromium and the extra demo.

python docs/site/make_demo_pictures.py
python docs/site/make_demo_pictures.py --look DIR    # every tab, wide and narrow, as PNG in another folder
"""

import argparse
import asyncio
import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

DOCS = Path(__file__).parents[1]
sys.path.insert(0, str(DOCS.parent / "tests"))

from helpers import chromium  # noqa: E402
from helpers.chromium import Page, browser_page  # noqa: E402
from speechvq.audio.waveform import read_waveform, write_waveform  # noqa: E402

WIDE, NARROW = (1000, 900), (390, 844)
LIVE_SECONDS = 10
COLORS, SHRINK = 256, 0.8  # of the pictures in docs/


def main() -> None:
    """Start the demo, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--look", type=Path, help="write all tabs into this folder, and nothing into docs/")
    arguments = parser.parse_args()
    chromium.PATIENCE = 300  # to add a voice takes half a minute or more
    with TemporaryDirectory() as name, demo() as url:
        folder = arguments.look or Path(name)
        folder.mkdir(exist_ok=True)
        asyncio.run(take(url, folder, Path(name)))
        if not arguments.look:
            save(folder / "convert-wide.png", DOCS / "demo.png")
            save(folder / "live-wide.png", DOCS / "live.png")


@contextmanager
def demo() -> Iterator[str]:
    """A running demo; its address."""
    command = [sys.executable, "-m", "speechvq.demo", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[0]
        finally:
            process.terminate()


async def take(url: str, folder: Path, temporary: Path) -> None:
    """Use each tab as a user would, and save its picture."""
    microphone = temporary / "microphone.wav"
    write_waveform(microphone, read_waveform(DOCS / "source.flac"))
    async with browser_page(temporary, microphone) as page:
        await page.open(url, *WIDE)
        await page.click("#convert .example")
        await page.click("#convert input[value='1088']")
        await finish(page, "convert")
        await save_tab(page, folder, "convert")
        await page.click("#tab-enroll")
        await page.choose_file("#enroll input[type=file]", DOCS / "enroll.flac")
        await page.value("document.querySelector('#name').value = 'me'")
        await finish(page, "enroll")
        await save_tab(page, folder, "enroll")
        await page.click("#tab-generate")
        await save_tab(page, folder, "generate")
        await page.click("#tab-units")
        await page.click("#units .example")
        await finish(page, "units")
        await save_tab(page, folder, "units")
        await page.click("#tab-live")
        await page.click("#live input[value='1088']")
        await page.click("#live .go")
        await page.wait("document.querySelector('#live-load').textContent.endsWith('%')")
        await asyncio.sleep(LIVE_SECONDS)
        print(await page.text("#live-facts"))
        await save_tab(page, folder, "live")
        await page.click("#live .go")
        assert not page.problems, page.problems


async def finish(page: Page, tab: str) -> None:
    """Click the button of a tab, and wait for its result."""
    await page.wait(f"!document.querySelector('#{tab} .go').disabled")
    await page.click(f"#{tab} .go")
    error = f"document.querySelector('#{tab} .status .error')"
    await page.wait(f"!document.querySelector('#{tab} .result').hidden || Boolean({error})")
    assert not await page.value(f"{error}?.textContent")
    await page.wait("[...document.querySelectorAll('audio[src]')].every(each => each.readyState > 0)")


async def save_tab(page: Page, folder: Path, tab: str) -> None:
    """Save a tab as it is now, wide and narrow."""
    for name, size in (("wide", WIDE), ("narrow", NARROW)):
        await page.resize(*size)
        await asyncio.sleep(0.3)  # until it has been drawn
        await page.screenshot(folder / f"{tab}-{name}.png")
    await page.resize(*WIDE)


def save(picture: Path, path: Path) -> None:
    """Save a picture with a palette, which makes the file small."""
    image = Image.open(picture).convert("RGB")
    size = round(image.width * SHRINK), round(image.height * SHRINK)
    image = image.resize(size, Image.Resampling.LANCZOS).quantize(COLORS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    path.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    main()
