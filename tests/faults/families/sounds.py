"""Unusual and damaged sound files, one at a time and all in one folder, by four commands."""

import os
import shutil
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from faults.bench import Bench, Command, call_quietly, voice
from faults.case import Case, Setting
from faults.child import (
    Ending,
    call,
    check_bounded,
    check_done,
    check_done_or_refused,
    check_quiet,
    check_refused,
    temporaries,
)
from speechvq import align, convert, encode, prepare
from speechvq.data.codes_directory import read_codes

TRIED = (
    "Empty, header only, truncated, NaN and Inf, silence, one sample, 8 to 192 kHz, 8 to 64 bit, "
    "stereo, six channels, inverse channels, an offset, 1e20 to 3e38, denormals, wrong endings, text, a "
    "folder, links, a pipe, a device, false headers, spaces and Unicode in names; each by convert, "
    "encode, align and prepare, then all in one folder. What can be read gives a finite result of the "
    "right length; everything else one line; the batch goes on."
)
COMMANDS = ("convert", "encode", "align", "prepare")
RATE = 16_000
SOUND_SECONDS, SOUND_MEMORY = 20.0, 768 << 20


class Sound(NamedTuple):
    """A file, and what a command should make of it."""

    name: str  # of the file
    write: Callable[[Path], object]
    expected: str  # "done", "refused" or "either"


def cases(setting: Setting) -> Iterator[Case]:
    """Each sound by each command; then all of them at once."""
    sounds = setting.some(SOUNDS, 6)
    bench = Bench(setting.folder / "bench")
    for command in setting.some(COMMANDS, 3):
        warm_up(command, bench, setting.folder / "warm" / command)
        for number, sound in enumerate(sounds):
            place = setting.folder / command / f"{number:02d}"
            yield Case(
                f"{command}, {sound.name}",
                lambda command=command, sound=sound, place=place: check_one(command, sound, bench, place),  # type: ignore
            )
        yield Case(
            f"{command}, all in one folder",
            lambda command=command: check_batch(command, sounds, bench, setting.folder / command / "all"),  # type: ignore
        )


def check_one(command: str, sound: Sound, bench: Bench, place: Path) -> None:
    """One sound alone."""
    source = place / "in" / "s" / sound.name
    source.parent.mkdir(parents=True)
    sound.write(source)
    before = source.read_bytes() if source.is_file() and os.access(source, os.R_OK) and small(source) else b""
    ending = run(command, source if command != "prepare" else place / "in", bench, place)
    expected = "either" if command == "align" and sound.expected == "done" else sound.expected  # no speech
    {"done": check_done, "refused": check_refused, "either": check_done_or_refused}[expected](
        ending, seconds=SOUND_SECONDS, memory=SOUND_MEMORY
    )
    if ending.code == 0:
        check_results(command, place / "out")
    assert not before or source.read_bytes() == before, "the recording was changed"
    assert not temporaries(place), f"left: {temporaries(place)}"
    shutil.rmtree(place, ignore_errors=True)


def small(path: Path) -> bool:
    """Whether a regular file has less than 64 MB."""
    return path.stat().st_size < 64 << 20


def check_batch(command: str, sounds: list[Sound], bench: Bench, place: Path) -> None:
    """All sounds in one folder: the command goes on, and names each file that it leaves out."""
    for sound in sounds:
        (place / "in" / "s").mkdir(parents=True, exist_ok=True)
        sound.write(place / "in" / "s" / sound.name)
    soundfile.write(place / "in" / "s" / "zz last.wav", voice(0.5), RATE)
    ending = run(command, place / "in", bench, place, seconds=180)
    check_bounded(ending, seconds=180, memory=SOUND_MEMORY)
    check_quiet(ending)
    assert ending.code == 0, f"exit code {ending.code}: {ending.err[-200:]}"
    check_results(command, place / "out")
    made = {path.stem for path in (place / "out").rglob("*") if path.is_file()}
    problems = place / "out" / "problems.txt"
    listed = ending.err + (problems.read_text(errors="replace") if problems.exists() else "")
    for sound in sounds:
        stem = Path(sound.name).stem
        is_audio = sound.name.rpartition(".")[2].lower() in ("wav", "flac", "ogg", "opus", "mp3")
        if sound.expected == "done" and is_audio and command != "align":
            assert stem in made, f"{sound.name} has no result"
        if sound.expected == "refused" and (place / "in" / "s" / sound.name).is_file() and is_audio:
            assert sound.name in listed, f"{sound.name} is passed over in silence"
    assert "zz last" in made or command == "align", "the last file was not reached"


def run(command: str, source: Path, bench: Bench, place: Path, seconds: float = SOUND_SECONDS) -> Ending:
    """Run a command on a file or folder."""
    main, arguments = words(command, source, bench, place)
    return call(main, arguments, place, seconds=seconds)


def words(command: str, source: Path, bench: Bench, place: Path) -> Command:
    """The command's arguments; its results go to `out`."""
    out = place / "out"
    if command == "convert":
        target = out / "a.wav" if not source.is_dir() else out
        flags = ["--model", bench.model, "--src", source, "--target-speaker", "bob", "--out", target]
        return Command(convert.main, [str(flag) for flag in flags])
    if command == "encode":
        return Command(encode.main, ["--model", str(bench.model), "--src", str(source), "--out", str(out)])
    if command == "align":
        texts = place / "texts"
        texts.mkdir()
        files = [source] if not source.is_dir() or source.suffix else list(source.rglob("*"))
        for path in files:
            (texts / f"{path.stem}.txt").write_text("Oh no.")
        flags = ["--audio", source, "--text", texts, "--out", out, "--jobs", "1"]
        return Command(align.main, [str(flag) for flag in flags])
    flags = ["folder", "--root", source, "--out", out, "--jobs", "1"]
    return Command(prepare.main, [str(flag) for flag in flags])


def warm_up(command: str, bench: Bench, place: Path) -> None:
    """Import and compile what a command needs, before its children are forked."""
    source = place / "in" / "s" / "a.wav"
    source.parent.mkdir(parents=True)
    soundfile.write(source, voice(0.3), RATE)
    call_quietly(words(command, source if command != "prepare" else place / "in", bench, place))


def check_results(command: str, out: Path) -> None:
    """Every result is whole and finite."""
    for path in out.rglob("*"):
        if path.suffix in (".wav", ".flac"):
            samples, rate = soundfile.read(path)
            assert rate == RATE and np.isfinite(samples).all(), f"{path.name}: not finite"
            assert np.abs(samples).max(initial=0) <= 1, f"{path.name}: clipped"
        elif path.suffix == ".npy":
            read_codes(path, 8)


# -- the sounds


def tone(seconds: float = 0.5, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A voice on all channels, (T, channels)."""
    return np.repeat(voice(seconds, rate=rate)[:, None], channels, axis=1)


def written(
    samples: np.ndarray, rate: int = RATE, *, format: str = "WAV", subtype: str | None = None
) -> Callable[[Path], object]:
    """Writes samples in a format of soundfile, whatever the ending of the name."""
    return lambda path: soundfile.write(path, samples, rate, format=format, subtype=subtype)


def floats(samples: np.ndarray) -> Callable[[Path], object]:
    """Writes 32-bit floats as they are, also those that are not finite."""
    return written(np.asarray(samples, np.float32), subtype="FLOAT")


def changed(make: Callable[[Path], object], change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    """Writes a file and changes its bytes."""

    def write(path: Path) -> None:
        make(path)
        path.write_bytes(change(path.read_bytes()))

    return write


def patched(offset: int, new: bytes) -> Callable[[bytes], bytes]:
    """Replaces bytes at an offset."""
    return lambda content: content[:offset] + new + content[offset + len(new) :]


def by_wave_module(path: Path) -> None:
    """A file by Python's own writer, with an odd number of samples."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((tone(0.3)[:4_801, 0] * 32_767).astype("<i2").tobytes())


def linked(path: Path) -> None:
    """A link to a recording elsewhere."""
    other = path.parents[2] / "elsewhere.wav"
    soundfile.write(other, tone(), RATE)
    path.symlink_to(other)


BASE = voice(0.5)
LOUD = np.where(np.arange(8_000) == 4_000, 1.0, 0.0)
GOOD, BAD, OPEN = "done", "refused", "either"
SOUNDS = [
    Sound("empty.wav", Path.touch, BAD),
    Sound("header only.wav", written(np.zeros(0)), BAD),
    Sound("truncated.wav", changed(written(BASE), lambda b: b[: len(b) // 2]), BAD),
    Sound("truncated header.wav", changed(written(BASE), lambda b: b[:20]), BAD),
    Sound("truncated flac.flac", changed(written(BASE, format="FLAC"), lambda b: b[: len(b) // 2]), BAD),
    Sound("truncated ogg.ogg", changed(written(BASE, format="OGG"), lambda b: b[: len(b) // 2]), OPEN),
    Sound("truncated mp3.mp3", changed(written(BASE, format="MP3"), lambda b: b[: len(b) // 2]), OPEN),
    Sound(
        "flipped flac.flac", changed(written(BASE, format="FLAC"), patched(3_000, b"\xff\x00\xff\x00")), OPEN
    ),
    Sound("flipped mp3.mp3", changed(written(BASE, format="MP3"), patched(700, bytes(64))), OPEN),
    Sound("flipped ogg.ogg", changed(written(BASE, format="OGG"), patched(4_500, bytes(64))), OPEN),
    Sound("nan.wav", floats(np.array([0.1, np.nan, 0.2] * 900)), BAD),
    Sound("inf.wav", floats(np.array([0.1, np.inf, -np.inf] * 900)), BAD),
    Sound("silence.wav", written(np.zeros(8_000)), OPEN),
    Sound("one sample.wav", written(np.full(1, 0.5)), OPEN),
    Sound("two samples.wav", written(np.array([0.5, -0.5])), OPEN),
    Sound("seven samples.wav", written(BASE[:7]), OPEN),
    Sound("8 kHz.wav", written(tone(rate=8_000), 8_000), GOOD),
    Sound("11 kHz.wav", written(tone(rate=11_025), 11_025), GOOD),
    Sound("22 kHz.wav", written(tone(rate=22_050), 22_050), GOOD),
    Sound("44 kHz.wav", written(tone(rate=44_100), 44_100), GOOD),
    Sound("48 kHz.flac", written(tone(rate=48_000), 48_000, format="FLAC"), GOOD),
    Sound("96 kHz.wav", written(tone(rate=96_000), 96_000), GOOD),
    Sound("192 kHz.wav", written(tone(rate=192_000), 192_000), GOOD),
    Sound("odd rate.wav", written(tone(rate=15_999), 15_999), GOOD),
    Sound("1 Hz.wav", written(BASE, 1), BAD),
    Sound("2 GHz.wav", changed(written(BASE), patched(24, (2_000_000_000).to_bytes(4, "little"))), BAD),
    Sound("rate zero.wav", changed(written(BASE), patched(24, bytes(4))), BAD),
    Sound("8 bit.wav", written(BASE, subtype="PCM_U8"), GOOD),
    Sound("24 bit.wav", written(BASE, subtype="PCM_24"), GOOD),
    Sound("32 bit.wav", written(BASE, subtype="PCM_32"), GOOD),
    Sound("float.wav", written(BASE, subtype="FLOAT"), GOOD),
    Sound("double.wav", written(BASE, subtype="DOUBLE"), GOOD),
    Sound("mu-law.wav", written(BASE, subtype="ULAW"), GOOD),
    Sound("adpcm.wav", written(BASE, subtype="MS_ADPCM"), OPEN),
    Sound("stereo.wav", written(tone(channels=2)), GOOD),
    Sound("inverse channels.wav", written(tone(channels=2) * [1, -1]), GOOD),
    Sound("one silent channel.wav", written(tone(channels=2) * [1, 0]), GOOD),
    Sound("six channels.wav", written(tone(channels=6)), GOOD),
    Sound("no channels.wav", changed(written(BASE), patched(22, bytes(2))), BAD),
    Sound("1000 channels.wav", changed(written(BASE), patched(22, (1_000).to_bytes(2, "little"))), OPEN),
    Sound("offset.wav", floats(BASE + 0.1), GOOD),
    Sound("full scale.wav", floats(np.sign(BASE)), OPEN),
    Sound("ten times full scale.wav", floats(200 * BASE), OPEN),
    Sound("1e20.wav", floats(1e20 * BASE), OPEN),
    Sound("3e38.wav", floats(np.sign(BASE) * 3e38), OPEN),
    Sound("one loud sample.wav", floats(LOUD * 3e38 + 1e-3 * BASE), OPEN),
    Sound("denormal.wav", floats(1e-40 * np.sign(BASE)), OPEN),
    Sound("one impulse.wav", floats(LOUD), OPEN),
    Sound(
        "claims an hour.wav", changed(written(BASE), patched(40, (115_200_000).to_bytes(4, "little"))), BAD
    ),
    Sound("streamed.wav", changed(written(BASE), patched(40, b"\xff\xff\xff\xff")), OPEN),
    Sound("odd length.wav", by_wave_module, GOOD),
    Sound("really flac.wav", written(BASE, format="FLAC"), OPEN),
    Sound("really wav.mp3", written(BASE), OPEN),
    Sound("opus.opus", written(BASE, format="OGG", subtype="OPUS"), GOOD),
    Sound("aiff.aiff", written(BASE, format="AIFF"), OPEN),
    Sound("text.wav", lambda path: path.write_text("This is not audio.\n" * 40), BAD),
    Sound("zeros.wav", lambda path: path.write_bytes(bytes(9_000)), BAD),
    Sound("a folder.wav", Path.mkdir, BAD),
    Sound("broken link.wav", lambda path: path.symlink_to("nowhere"), BAD),
    Sound("link.wav", linked, GOOD),
    Sound("link to itself.wav", lambda path: path.symlink_to(path.name), BAD),
    Sound("device.wav", lambda path: path.symlink_to("/dev/zero"), BAD),
    Sound("pipe.wav", os.mkfifo, BAD),
    Sound(" leading space, ünï ☃.wav", written(BASE), GOOD),
    Sound("-dash #1 'quoted' \"too\".wav", written(BASE), GOOD),
    Sound("line\nbreak.wav", written(BASE), OPEN),
]
