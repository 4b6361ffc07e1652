"""Inputs that change between two calls: the second call gives what a first call would give."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from PIL import Image

from faults.bench import Bench, Main, call_quietly, voice
from faults.case import Case, Setting
from faults.child import call, check_done_or_refused
from speechvq import align, convert, encode, prepare

TRIED = (
    "A corpus whose sounds, texts, labels or pictures are replaced (also by one of the same size with "
    "an older date), edited, added, removed or renamed between two calls of encode, convert, align, "
    "prepare folder and prepare images. The results of the second call are those of a call into an "
    "empty folder, or it refuses in one line."
)
RATE = 16_000
SECONDS = 60.0
LAB = "0 2000000 SIL\n2000000 5000000 AA\n"


class Work(NamedTuple):
    """A command that reads a corpus, and the changes that concern it."""

    main: Main
    arguments: Callable[[Path, Path, Bench], list[str]]  # from corpus and out
    changes: tuple[str, ...]


SOUND_CHANGES = (
    "sound replaced",
    "sound replaced by an older one",
    "sound added",
    "sound removed",
    "sound renamed",
)
TEXT_CHANGES = ("text edited", "text edited, older and as long", "text removed")
LABEL_CHANGES = ("label edited", "label edited, older and as long", "label removed")
PICTURE_CHANGES = (
    "picture replaced",
    "picture replaced by an older one",
    "picture added",
    "picture removed",
    "class renamed",
)


def words(*fixed: str, **places: str) -> Callable[[Path, Path, Bench], list[str]]:
    """Arguments of a command: fixed words, then flags whose values name the corpus, `out` or the model."""

    def make(corpus: Path, out: Path, bench: Bench) -> list[str]:
        filled = {
            name: value.format(corpus=corpus, out=out, model=bench.model) for name, value in places.items()
        }
        flags = [word for name, value in filled.items() for word in (f"--{name.replace('_', '-')}", value)]
        return [*fixed, *flags, "--out", str(out)]

    return make


WORKS = {
    "encode": Work(encode.main, words(model="{model}", src="{corpus}/audio"), SOUND_CHANGES),
    "convert": Work(
        convert.main, words(model="{model}", src="{corpus}/audio", target_speaker="bob"), SOUND_CHANGES
    ),
    "align": Work(
        align.main,
        words(audio="{corpus}/audio", text="{corpus}/txt", jobs="1"),
        SOUND_CHANGES + TEXT_CHANGES,
    ),
    "prepare folder": Work(
        prepare.main,
        words("folder", root="{corpus}", jobs="1"),
        SOUND_CHANGES + TEXT_CHANGES + LABEL_CHANGES,
    ),
    "prepare images": Work(
        prepare.main, words("images", root="{corpus}/pictures", size="8", jobs="1"), PICTURE_CHANGES
    ),
}


def cases(setting: Setting) -> Iterator[Case]:
    """Every change for every command that reads what changes."""
    bench = Bench(setting.folder / "bench")
    chosen = [(name, change) for name, work in WORKS.items() for change in work.changes]
    warm: set[str] = set()
    for name, change in setting.some(chosen, 4):
        if name not in warm:
            corpus = make_corpus(setting.folder / "warm" / name / "corpus")
            out = setting.folder / "warm" / name / "out"
            call_quietly(
                type(bench.command("encode", out))(
                    WORKS[name].main, WORKS[name].arguments(corpus, out, bench)
                )
            )
            warm.add(name)
        place = setting.folder / name / change
        yield Case(f"{name}, {change}", lambda n=name, c=change, p=place: check(bench, WORKS[n], c, p))  # type: ignore


def make_corpus(folder: Path) -> Path:
    """Two speakers with three recordings each, texts and labels; two classes of pictures. An hour old."""
    for number in range(60):  # so many that some pictures fall into the test split
        speaker, name = f"s{number % 2}", f"talk_{number}"
        if number >= 6:
            (folder / "pictures" / speaker).mkdir(parents=True, exist_ok=True)
            picture(number).save(folder / "pictures" / speaker / f"{name}.png")
            continue
        for kind in ("audio", "txt", "lab", "pictures"):
            (folder / kind / speaker).mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / "audio" / speaker / f"{name}.wav", voice(0.5, seed=number), RATE)
        (folder / "txt" / speaker / f"{name}.txt").write_text("Oh no.\n")
        (folder / "lab" / speaker / f"{name}.lab").write_text(LAB)
        picture(number).save(folder / "pictures" / speaker / f"{name}.png")
    for path in folder.rglob("*"):
        age(path, 3_600)
    return folder


def picture(seed: int) -> Image.Image:
    """A picture of noise."""
    return Image.fromarray(np.random.default_rng(seed).integers(256, size=(16, 16, 3), dtype=np.uint8))


def age(path: Path, seconds: float) -> None:
    """Set the date of the last change back."""
    when = path.stat().st_mtime - seconds
    os.utime(path, (when, when))


def change_corpus(folder: Path, change: str) -> None:
    """Apply a change by name."""
    sound, text = folder / "audio/s0/talk_2.wav", folder / "txt/s0/talk_2.txt"
    label, image = folder / "lab/s0/talk_2.lab", folder / "pictures/s0/talk_2.png"
    path = {"sound": sound, "text": text, "label": label, "picture": image, "class": image}[
        change.split()[0].strip(",")
    ]
    before = path.stat()
    match change.replace(" by an older one", "").replace(", older and as long", ""):
        case "sound replaced":
            soundfile.write(sound, voice(0.5, f0=200, seed=77), RATE)
        case "sound added":
            soundfile.write(sound.with_name("talk_8.wav"), voice(0.5, f0=200, seed=77), RATE)
            shutil.copy(text, text.with_name("talk_8.txt"))
        case "sound renamed":
            for each in (sound, text, label):
                each.rename(each.with_stem("talk_9"))
            return
        case "text edited":
            text.write_text("No oh.\n" if "as long" in change else "Oh no, not again.\n")
        case "label edited":
            label.write_text(LAB.replace("AA", "IY") if "as long" in change else f"{LAB}5000000 6000000 S\n")
        case "picture replaced":
            picture(77).save(image)
        case "picture added":
            picture(77).save(image.with_name("talk_8.png"))
        case "class renamed":
            image.parent.rename(image.parent.with_name("s7"))
            return
        case _:
            path.unlink()
            return
    if "older" in change:
        os.utime(path, (before.st_mtime - 9_999, before.st_mtime - 9_999))


def check(bench: Bench, work: Work, change: str, place: Path) -> None:
    """Call, change, call again; and call into an empty folder."""
    corpus, out = make_corpus(place / "corpus"), place / "out"
    arguments = work.arguments(corpus, out, bench)
    first = call(work.main, arguments, place, seconds=SECONDS, memory=0)
    assert first.code == 0, f"exit code {first.code}: {first.err[-200:]}"
    change_corpus(corpus, change)
    second = call(work.main, arguments, place, seconds=SECONDS, memory=0)
    check_done_or_refused(second, seconds=SECONDS, memory=4 << 30)
    if second.code == 2:
        return
    out.rename(place / "second")
    fresh = call(work.main, arguments, place, seconds=SECONDS, memory=0)
    assert fresh.code == 0, f"exit code {fresh.code}: {fresh.err[-200:]}"
    for path in out.rglob("*"):
        if path.name != "problems.txt" and path.suffix in (
            ".wav",
            ".flac",
            ".npy",
            ".lab",
            ".txt",
            ".tsv",
            ".png",
        ):
            other = place / "second" / path.relative_to(out)
            assert other.is_file(), f"{path.relative_to(out)} is missing"
            assert other.read_bytes() == path.read_bytes(), f"{path.relative_to(out)} is the old one"
    shutil.rmtree(place)
