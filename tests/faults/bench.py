"""Tiny inputs of every command, made once, and the arguments with which each command reads them."""

import contextlib
import io
import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from PIL import Image

import speechvq
from faults.child import check_done
from faults.runs import Runs
from helpers import tiny_prior
from helpers.audio_files import save_tiny_model
from helpers.tiny import SPEAKERS
from speechvq import (
    align,
    convert,
    decode,
    draw,
    encode,
    enroll,
    evaluate,
    generate,
    imagine,
    prepare,
    report,
    train,
)
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.model_directory import save_prior

SENTENCE = "She had your dark suit in greasy wash water all year."
Main = Callable[[Sequence[str] | None], int]


class Command(NamedTuple):
    """A command with its arguments."""

    main: Main
    arguments: list[str]


def call_quietly(command: Command) -> int:
    """Run a command in this process, without its output; imports what it needs before any fork."""
    threads = _threads()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = command.main(command.arguments)
    _wait_for_ending_threads(threads)
    return code


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _wait_for_ending_threads(before: int) -> None:
    """Wait until threads that Python has joined have ended for the system, too.

    Such a thread returns its memory to the allocator of MKL under a lock. A child that is forked meanwhile
    gets the locked lock, and its first matrix product waits for ever. Threads that stay are not waited for.
    """
    end = time.monotonic() + 0.2
    while _threads() > before and time.monotonic() < end:
        time.sleep(0.001)


def voice(seconds: float, *, f0: float = 120.0, rate: int = 16_000, seed: int = 0) -> np.ndarray:
    """A synthetic voice, (T,), float64: pulses through resonances, with syllables and some noise."""
    from scipy.signal import lfilter

    rng, time = np.random.default_rng(seed), np.arange(round(seconds * rate)) / rate
    pulses = np.diff(np.floor(f0 * time + 2 * np.sin(time)), prepend=0)
    wave = lfilter([1.0], [1.0, -1.6, 0.9], pulses) * 0.02 + 0.001 * rng.standard_normal(len(time))
    return wave * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time))


class Bench:
    """Inputs below a folder; `long` makes the work of most commands last for some seconds."""

    def __init__(self, folder: Path, *, long: bool = False) -> None:
        self.folder, self.long = folder, long
        self.runs = Runs(folder / "runs")
        self.runs.folder.mkdir(parents=True, exist_ok=True)

    @cached_property
    def model(self) -> Path:
        """Run directory of a tiny speech model with random weights; speakers ada, bob and cyd."""
        return save_tiny_model(self.folder / "model")

    @cached_property
    def recordings(self) -> Path:
        """A folder of recordings of a synthetic voice: eight of 0.5 s, or sixty of 1 s."""
        count, seconds = (60, 1.0) if self.long else (8, 0.5)
        for number in range(count):
            path = self.folder / "recordings" / f"s{number % 2}" / f"talk_{number:02d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, voice(seconds, f0=100 + 2 * number, seed=number), 16_000)
        return self.folder / "recordings"

    @cached_property
    def texts(self) -> Path:
        """A text for every recording."""
        for path in self.recordings.rglob("*.wav"):
            place = self.folder / "texts" / path.relative_to(self.recordings).with_suffix(".txt")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("Oh no.\n")
        return self.folder / "texts"

    @cached_property
    def talk(self) -> Path:
        """Twelve seconds of a voice, for enrollment."""
        soundfile.write(self.folder / "talk.wav", voice(12.0), 16_000)
        return self.folder / "talk.wav"

    @cached_property
    def codes(self) -> Path:
        """Codes of utterances of two speakers: `codes`, `lab`, `audio` and a manifest."""
        folder, rng = self.folder / "units", np.random.default_rng(0)
        (folder / "codes").mkdir(parents=True)
        (folder / "codes/meta.json").write_text(json.dumps({"frame_rate_hz": 50, "num_codes": 6}))
        rows = ["utt\tspeaker\tsplit\tseconds\tpath"]
        for number in range(200 if self.long else 6):
            name, cuts = f"u{number}", np.linspace(0, 2, 11).round(2)
            labels = ["SIL", *(("AA", "B", "S")[rng.integers(3)] for _ in cuts[2:-1]), "SIL"]
            write_lab(
                folder / f"lab/{name}.lab",
                [Interval(a, b, label) for a, b, label in zip(cuts, cuts[1:], labels)],
            )
            np.save(folder / f"codes/{name}.npy", rng.integers(6, size=100))
            (folder / "audio").mkdir(exist_ok=True)
            soundfile.write(folder / f"audio/{name}.flac", voice(2.0, seed=number), 16_000)
            rows.append(f"{name}\tsp{number % 2}\t{'test' if number > 2 else 'train'}\t2\taudio/{name}.flac")
        (folder / "manifest.tsv").write_text("\n".join(rows) + "\n")
        return folder

    @cached_property
    def prior(self) -> Path:
        """A prior over the codes of the model, with random weights."""
        spec = CodeSpec(8, 2000.0, speechvq.load(self.model).fingerprint())
        save_prior(self.folder / "prior/model", tiny_prior.prior_of(code_spec=spec))
        return self.folder / "prior"

    @cached_property
    def pictures(self) -> Path:
        """Two classes of pictures."""
        for number in range(1_200 if self.long else 80):
            path = self.folder / "pictures" / ("cat", "dog")[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number).integers(256, size=(20, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        return self.folder / "pictures"

    @cached_property
    def image_run(self) -> Path:
        """A trained image model."""
        check_done(self.runs.train("image vqvae", "image"))
        return self.runs.folder / "image"

    @cached_property
    def image_prior(self) -> Path:
        """A trained prior over its code grids."""
        check_done(self.runs.train("pixelcnn", "pixelcnn", f"data.model={self.image_run}"))
        return self.runs.folder / "pixelcnn"

    @cached_property
    def video_prior(self) -> Path:
        """A trained video prior."""
        check_done(self.runs.train("video", "video"))
        return self.runs.folder / "video"

    @cached_property
    def speech_run(self) -> Path:
        """A trained speech model."""
        check_done(self.runs.train("speech loss", "speech"))
        return self.runs.folder / "speech"

    def command(self, name: str, out: Path) -> Command:
        """A command that writes to a folder; NAME is one of WRITERS."""
        main, words = self._words(name, out)
        return Command(main, [str(word) for word in words])

    def _words(self, name: str, out: Path) -> tuple[Main, list[str | Path]]:
        model: list[str | Path] = ["--model", self.model] if name.split()[0] in USE_MODEL else []
        match name:
            case "convert" | "convert chunked" | "convert torch" | "convert flac":
                more: list[str | Path] = {"chunked": ["--chunked"], "torch": ["--engine", "torch"]}.get(
                    name.rpartition(" ")[2], []
                )
                source = self.talk if self.long else min(self.recordings.rglob("*.wav"))
                place = out / ("a.flac" if name.endswith("flac") else "a.wav")
                return convert.main, [
                    *model,
                    "--src",
                    source,
                    "--target-speaker",
                    "bob",
                    "--out",
                    place,
                    *more,
                ]
            case "convert folder":
                targets = ["--src", self.recordings, "--target-speaker", "bob,cyd", "--out", out]
                return convert.main, [*model, *targets]
            case "encode":
                return encode.main, [*model, "--src", self.recordings, "--out", out]
            case "encode parquet" | "encode text":
                more = ["--format", name.split()[1], "--deduplicate"]
                return encode.main, [*model, "--src", self.recordings, "--out", out, *more]
            case "decode":
                codes = self.folder / "codes_of_model"
                if not codes.exists():
                    words = [*model, "--src", self.recordings, "--out", codes]
                    call_quietly(Command(encode.main, [str(word) for word in words]))
                return decode.main, [*model, "--codes", codes, "--speaker", "bob", "--out", out]
            case "align":
                words = ["--audio", self.recordings, "--text", self.texts, "--out", out, "--jobs", "1"]
                return align.main, words
            case "prepare folder":
                return prepare.main, ["folder", "--root", self.recordings, "--out", out, "--jobs", "1"]
            case "prepare mini":
                sentences = "100" if self.long else "2"
                words = ["mini", "--speakers", "2", "--sentences", sentences, "--out", out, "--jobs", "1"]
                return prepare.main, words
            case "prepare maze":
                episodes = "400" if self.long else "3"
                words = ["maze", "--episodes", episodes, "--frames", "4", "--out", out, "--jobs", "1"]
                return prepare.main, words
            case "prepare images":
                words = ["images", "--root", self.pictures, "--size", "8", "--out", out, "--jobs", "1"]
                return prepare.main, words
            case "generate":
                words = [
                    "--prior",
                    self.prior,
                    "--out",
                    out,
                    "--seconds",
                    "2" if self.long else "0.05",
                    "--count",
                    "2",
                ]
                return generate.main, [*model, *words]
            case "enroll" | "enroll decoder":
                words = ["--name", "me", "--audio", self.talk, "--steps", "9999" if self.long else "3"]
                if name == "enroll":
                    return enroll.main, [*model, *words, "--out", out / "me.safetensors"]
                return enroll.main, [*model, *words, "--unfreeze", "decoder", "--out", out / "me"]
            case "evaluate purity":
                files = ["--json", out / "purity.json", "--plot", out / "purity.png"]
                units = ["--codes", self.codes / "codes", "--alignments", self.codes / "lab"]
                return evaluate.main, ["purity", *units, *files]
            case "evaluate codebook":
                words = ["codebook", "--codes", self.codes / "codes", "--json", out / "codebook.json"]
                return evaluate.main, words
            case "evaluate speakers":
                manifest = ["--manifest", self.codes / "manifest.tsv", "--json", out / "speakers.json"]
                return evaluate.main, ["speakers", "--codes", self.codes / "codes", *manifest]
            case "report":
                run = out / "run"
                if not run.exists():
                    shutil.copytree(self.speech_run, run)
                return report.main, ["--run", run]
            case "draw":
                words = [
                    "--run",
                    self.image_run,
                    "--prior",
                    self.image_prior,
                    "--out",
                    out,
                    "--count",
                    "1024" if self.long else "4",
                ]
                return draw.main, words
            case "imagine":
                return imagine.main, [
                    "--prior",
                    self.video_prior,
                    "--frames",
                    "500" if self.long else "2",
                    "--actions",
                    "forward*500",
                    "--out",
                    out,
                ]
            case _:
                kind = name.removeprefix("train ")
                words = self.runs.arguments(
                    kind, "x", f"train.steps={99_999 if self.long else 3}", "train.save_every=1"
                )
                place = words.index("--out") + 1
                return train.main, [*words[:place], out / "run", *words[place + 1 :]]


USE_MODEL = ("convert", "encode", "decode", "generate", "enroll")
WRITERS = (
    "convert",
    "convert flac",
    "convert chunked",
    "convert torch",
    "convert folder",
    "encode",
    "encode parquet",
    "encode text",
    "decode",
    "align",
    "prepare folder",
    "prepare mini",
    "prepare maze",
    "prepare images",
    "generate",
    "enroll",
    "enroll decoder",
    "evaluate purity",
    "evaluate codebook",
    "evaluate speakers",
    "draw",
    "imagine",
    "train speech loss",
    "train image vqvae",
    "train prior",
)


def unit_of(path: Path) -> str:
    """Name of a result below a folder, without its ending."""
    return path.stem


def is_whole(path: Path) -> bool:
    """Whether a file that a command wrote can be read to its end, by the reader of its format."""
    if path.suffix in (".wav", ".flac"):
        return len(soundfile.read(path)[0]) > 0
    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False).ndim >= 1
    if path.suffix in (".png", ".gif"):
        with Image.open(path) as image:
            image.load()
        return True
    if path.suffix == ".json":
        json.loads(path.read_text())
    if path.suffix == ".safetensors":
        size = struct.unpack("<Q", path.read_bytes()[:8])[0]
        header = json.loads(path.read_bytes()[8 : 8 + size])
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        return path.stat().st_size == 8 + size + max(ends, default=0)
    return True


def check_whole(folder: Path, *, unfinished: bool = False) -> None:
    """No file with a final name is half-written, and nothing unfinished remains unless that is allowed.

    Folders named `.unfinished-*` hold work that the next call of `prepare images` continues.
    """
    for directory, folders, names in os.walk(folder):
        folders[:] = [each for each in folders if not each.startswith(".unfinished-")]
        for name in names:
            path = Path(directory) / name
            if name.startswith(".part-"):
                assert unfinished, f"left: {path.relative_to(folder)}"
                continue
            try:
                whole = is_whole(path)
            except Exception as error:
                raise AssertionError(f"{path.relative_to(folder)} is half-written ({error})") from None
            assert whole, f"{path.relative_to(folder)} is half-written"


assert set(SPEAKERS) == {"ada", "bob", "cyd"}
